"""Prompts → responses and norms of units: batched decoding with a KV cache, and replay of given responses."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.capture import sharing
from synergy_tui.errors import SubjectError, TaskError
from synergy_tui.subject import positions, ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Units
from synergy_tui.subject.taps import UnitTap
from synergy_tui.tasks.asking import Messages

GONE = 0.2
"""Share of a batch's sequences that must have ended before they leave it, because cutting a cache copies it."""


@dataclass(frozen=True)
class Response:
    """tokens: generated ids, the end token included. ended: whether the subject ended it by itself. activity: units'
    norms at the position that predicts each token; units are layer × per_layer + place, NaN where a place has no unit.
    """

    tokens: list[int]
    ended: bool
    activity: Float[np.ndarray, "units steps"]


@dataclass(frozen=True)
class Sampling:
    """Tokens are drawn at a temperature from the likeliest that hold `top_p` of the probability. The draws depend only
    on the seed and the prompt's number, not on the batch."""

    temperature: float
    top_p: float
    seed: int

    def chances(self, numbers: Sequence[int], steps: int) -> Float[np.ndarray, "steps prompts"]:
        """A uniform number for every step of every prompt."""
        return np.stack([np.random.default_rng([self.seed, one]).random(steps) for one in numbers], axis=1)

    def draw(self, logits: Float[Tensor, "batch vocabulary"], chance: Float[Tensor, " batch"]) -> Tensor:
        """One token for each row."""
        sorted_, order = (logits.float() / self.temperature).softmax(dim=-1).sort(dim=-1, descending=True)
        before = sorted_.cumsum(dim=-1) - sorted_
        kept = sorted_ * (before < self.top_p)
        reached = kept.cumsum(dim=-1) <= chance[:, None] * kept.sum(dim=-1, keepdim=True)
        place = reached.sum(dim=-1).clamp(max=(kept > 0).sum(dim=-1) - 1)
        return order.gather(1, place[:, None])


def encode(
    subject: Subject, prompts: Sequence[str | Messages], chat: bool, system: str | None = None
) -> list[list[int]]:
    """Token ids of prompts, in the chat template if the tokenizer has one and `chat` is set, after a system prompt if
    given. A prompt is a text, or messages with roles. Raises SubjectError when the template fails, and for tokens
    without an embedding; TaskError without a template for `system` or for messages."""
    tokenizer = subject.tokenizer
    if chat and tokenizer.chat_template:
        asked = [_templated(tokenizer, one, system) for one in prompts]
        found = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in asked]
    else:
        why = "has no chat template" if chat else "is asked without its chat template"
        if system is not None:
            raise TaskError(f"{subject.source.name} {why}: a system prompt has no place", "put it into the prompts")
        if not all(isinstance(one, str) for one in prompts):
            raise TaskError(f"{subject.source.name} {why}: messages with roles have no place", "give texts")
        found = [tokenizer(text)["input_ids"] for text in prompts]
    _check_embedded(subject, found)
    return found


def _templated(tokenizer: Any, prompt: str | Messages, system: str | None) -> str:
    asked = [("user", prompt)] if isinstance(prompt, str) else list(prompt)
    if system is not None:
        if asked[0][0] == "system":
            raise TaskError("the prompts have system messages of their own", "leave out --system")
        asked.insert(0, ("system", system))
    roles = ", ".join(dict.fromkeys(role for role, _ in asked))
    try:
        messages = [{"role": role, "content": content} for role, content in asked]
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template is a program that comes with the model and may raise anything
        mend = "leave out --system" if system is not None else "give a --system prompt" if "system" not in roles else ""
        raise SubjectError(
            f"its chat template fails: {type(error).__name__}: {str(error)[:200]} (messages with the roles {roles})",
            f"{mend}, or use --no-chat" if mend else "use --no-chat, or other roles",
        ) from error


def _check_embedded(subject: Subject, prompts: Sequence[Sequence[int]]) -> None:
    """Raises SubjectError when a token has no embedding: the tokenizer is not the model's, or was extended."""
    there = subject.model.get_input_embeddings().num_embeddings
    beyond = sorted({token for tokens in prompts for token in tokens if token >= there})
    if beyond:
        names = ", ".join(repr(subject.tokenizer.convert_ids_to_tokens(token)) for token in beyond[:4])
        raise SubjectError(
            f"its tokenizer makes tokens without an embedding ({names}; the model has {there} embeddings)",
            "use the tokenizer the model was trained with, or prompts without these tokens",
        )


def check_context(subject: Subject, prompts: Sequence[Sequence[int]], names: Sequence[str], steps: int) -> None:
    """Raises TaskError when a prompt has no token, or is longer than the subject's context together with its
    response."""
    for name, tokens in zip(names, prompts, strict=True):
        if not tokens:
            raise TaskError(f"prompt {name} has no tokens", "give it some text")
        if subject.context and len(tokens) + steps > subject.context:
            raise TaskError(
                f"prompt {name} has {len(tokens)} tokens, with {steps} steps over the context of {subject.context}",
                "shorten it, or ask for fewer --steps",
            )


def generate(
    subject: Subject,
    prompts: Sequence[Sequence[int]],
    steps: int,
    each_step: Callable[[int], None] = lambda _: None,
    *,
    units: Units | None = None,
    sampling: Sampling | None = None,
    numbers: Sequence[int] | None = None,
    over: Callable[[int, Sequence[int]], bool] | None = None,
    share: bool = True,
    read: bool = True,
) -> list[Response]:
    """Responses of at most `steps` tokens to a batch of prompts: greedy, or drawn by `sampling`, for which the prompts
    have `numbers`. units: whose activity is read, all heads by default. `each_step` receives the number of responses
    still growing; an exception in it ends the batch. over: whether the response of a row, its tokens so far, is long
    enough. Without it, only one flag per step is copied to the host in the loop. share: whether the common beginning of
    all prompts is run once, and responses that have ended leave the batch, if the subject's cache allows it. read:
    whether activity is read; without it the activity of a response has no units. If positions depend on a sequence's
    length, a sequence that may become long is alone in its batch. Raises SubjectError when an activity or the logits
    are not finite."""
    units = subject.units() if units is None else units
    numbers = range(len(prompts)) if numbers is None else numbers
    made: dict[int, Response] = {}
    for rows in _together(subject, [len(one) + steps - 1 for one in prompts]):
        with ranks.in_step():
            passes = _Passes(subject, [prompts[row] for row in rows], units, steps, share, read)
            found = passes.generated(
                each_step,
                sampling,
                [numbers[row] for row in rows],
                None if over is None else lambda row, tokens, rows=rows: over(rows[row], tokens),
            )
        made |= dict(zip(rows, found, strict=True))
    return [made[row] for row in range(len(prompts))]


def _together(subject: Subject, lengths: Sequence[int]) -> list[list[int]]:
    """Which sequences share passes: all, except for those that may become long if that changes their positions."""
    most = positions.boundary(subject.model)
    long = [] if most is None else [row for row, length in enumerate(lengths) if length > most]
    short = [row for row in range(len(lengths)) if row not in set(long)]
    return [*([short] if short else []), *([row] for row in long)]


class _Passes:
    """Passes over a batch of growing sequences, with a cache of their keys and values. `_rows`: which of the batch's
    sequences are still in it."""

    def __init__(
        self,
        subject: Subject,
        prompts: Sequence[Sequence[int]],
        units: Units,
        steps: int,
        share: bool = False,
        read: bool = True,
    ) -> None:
        self._subject, self._units, self._steps, self._batch = subject, units, steps, len(prompts)
        self._prompts = prompts
        longest = max(map(len, prompts)) + steps
        self._plain = share and sharing.plain(subject, longest)
        self._shared = sharing.shareable(subject, prompts, longest) if self._plain else 0
        self._ids, self._mask = _left_padded(subject, prompts)
        self._positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self._accepted = inspect.signature(subject.model.forward).parameters
        self._cache = sharing.fresh(subject)
        self._told: dict[str, Any] = {}
        self._told_of: Any = None
        # Long sequences are alone, so their length is that of the batch.
        most = positions.boundary(subject.model)
        self._turn = most if positions.computed_anew(subject.model) else None
        self._whole = self._ids
        device = subject.device
        self._rows = torch.arange(self._batch, device=device)
        self._tokens = torch.zeros((steps, self._batch), dtype=torch.long, device=device)
        size = (steps, units.layers, self._batch, units.per_layer if read else 0)
        self._activity = torch.zeros(size, dtype=torch.float32, device=device)
        self._tap: Any = UnitTap(units, last=True) if read else contextlib.nullcontext()
        self._read = read
        self._lengths = torch.full((self._batch,), steps, device=device)
        self._ends = torch.tensor(subject.ends, device=device)

    @torch.inference_mode()
    def generated(
        self,
        each_step: Callable[[int], None],
        sampling: Sampling | None,
        numbers: Sequence[int],
        over: Callable[[int, Sequence[int]], bool] | None,
    ) -> list[Response]:
        """The responses; see `generate`."""
        device, chances = self._subject.device, None
        if sampling is not None:
            chances = torch.tensor(sampling.chances(numbers, self._steps), dtype=torch.float32, device=device)
        growing = torch.ones(self._batch, dtype=torch.bool, device=device)
        made = 0
        begun = sharing.begin(self._subject, self._prompts[0][: self._shared]) if self._shared else None
        with self._tap:
            for step in range(self._steps):
                logits = self._begun(begun) if step == 0 and self._plain else self._pass(step)
                if step == 0:
                    _check(logits)
                if sampling is None or chances is None:
                    ids = logits.argmax(dim=-1, keepdim=True)
                else:
                    ids = sampling.draw(logits, chances[step, self._rows])
                if not self._read:  # without activity, the logits tell: their largest is NaN if any is NaN
                    _check(logits.gather(1, ids))
                ids = ranks.same(ids)  # all ranks must break a tie in the same way
                self._tokens[step, self._rows] = ids[:, 0]
                ended = growing & torch.isin(self._tokens[step], self._ends)
                self._lengths[ended] = step + 1
                growing = growing & ~ended
                made = step + 1
                if over is not None:
                    so_far = self._tokens[:made].T.tolist()
                    enough = [row for row in torch.nonzero(growing)[:, 0].tolist() if over(row, so_far[row])]
                    self._lengths[enough], growing[enough] = made, False
                left = int(growing.sum())
                each_step(left)
                if left == 0:
                    break
                self._grow(self._left(growing, left, ids))
        lengths = self._lengths.clamp(max=made)
        return _responses(self._tokens[:made], self._activity[:made], lengths, self._ends, self._units, self._read)

    @torch.inference_mode()
    def forced(self, response: Sequence[int]) -> Float[np.ndarray, "units steps"]:
        """Norms of the only sequence of the batch, grown by the tokens of a given response."""
        with self._tap:
            for step, token in enumerate(response):
                self._pass(step)
                self._grow(torch.tensor([[token]], device=self._subject.device))
        found: Float[np.ndarray, "units steps"] = _as_units(self._activity[: len(response), :, 0], self._units)
        return found

    def _begun(self, begun: Any) -> Tensor:
        """Logits of the first tokens: the prompts' shared beginning is not computed again, and prompts of like length
        go through the model together."""
        rests = [prompt[self._shared :] for prompt in self._prompts]
        order, logits, caches, masks = [], [], [], []
        for rows in sharing.groups([len(one) for one in rests]):
            said, cache, mask = sharing.behind(self._subject, begun, [rests[row] for row in rows], self._shared)
            order += rows
            logits.append(said)
            caches.append(cache)
            masks.append(mask)
            if self._read:
                self._activity[0][:, rows] = self._tap.norms()
        self._cache, self._mask = sharing.beside(caches, masks, self._shared)
        self._rows = torch.tensor(order, device=self._subject.device)
        self._positions = self._mask.sum(dim=1, keepdim=True) - 1
        return torch.cat(logits)

    def _pass(self, step: int) -> Tensor:
        """Logits of the next token; the units' norms are kept."""
        ids = self._ids
        if self._turn is not None and self._batch == 1 and step and self._mask.shape[1] == self._turn + 1:
            ids, self._cache = self._whole, sharing.fresh(self._subject)
            self._positions = torch.arange(ids.shape[1], device=ids.device)[None]
        if self._cache is not self._told_of:
            self._told, self._told_of = sharing.cached(self._subject, self._cache), self._cache
        more = self._told
        # Bloom and Mamba2 take no positions; other families must not count the padding.
        if "position_ids" in self._accepted:
            more = more | {"position_ids": self._positions}
        logits: Tensor = self._subject.model(input_ids=ids, attention_mask=self._mask, **more).logits[:, -1]
        if self._read:
            self._activity[step][:, self._rows] = self._tap.norms()
        return logits

    def _left(self, growing: Tensor, left: int, ids: Tensor) -> Tensor:
        """Drops the sequences that have ended, once there are many; returns the tokens of the rest."""
        if not self._plain or len(self._rows) - left < len(self._rows) * GONE:
            return ids
        stay = torch.nonzero(growing[self._rows])[:, 0]
        sharing.only(self._cache, stay)
        self._rows, self._mask, self._positions = self._rows[stay], self._mask[stay], self._positions[stay]
        return ids[stay]

    def _grow(self, ids: Tensor) -> None:
        self._ids = ids
        self._whole = torch.cat([self._whole, ids], dim=1) if self._turn is not None else self._whole
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(ids), 1))], dim=1)
        self._positions = self._positions[:, -1:] + 1


@torch.inference_mode()
def replay(
    subject: Subject,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    units: Units | None = None,
) -> list[Float[np.ndarray, "units steps"]]:
    """Norms of units on given responses from one teacher-forced pass over a batch, padded on the right (exact for
    causal models without a mask). If a sequence becomes long and that changes its positions, it is grown token by
    token, as it was generated. Raises SubjectError when a norm is not finite."""
    units = subject.units() if units is None else units
    lengths = [len(prompt) + len(response) - 1 for prompt, response in zip(prompts, responses, strict=True)]
    most = positions.boundary(subject.model)
    long = set() if most is None else {row for row, length in enumerate(lengths) if length > most}
    short = [row for row in range(len(prompts)) if row not in long]
    with ranks.in_step():
        found = _at_once(subject, [prompts[row] for row in short], [responses[row] for row in short], units)
        made = dict(zip(short, found, strict=True))
        for row in long:
            made[row] = _Passes(subject, [prompts[row]], units, len(responses[row])).forced(responses[row])
    return [made[row] for row in range(len(prompts))]


def _at_once(
    subject: Subject, prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], units: Units
) -> list[Float[np.ndarray, "units steps"]]:
    if not prompts:
        return []
    whole = [[*prompt, *response[:-1]] for prompt, response in zip(prompts, responses, strict=True)]
    longest = max(map(len, whole))
    ids = torch.zeros((len(whole), longest), dtype=torch.long, device=subject.device)
    for row, tokens in enumerate(whole):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    accepted = inspect.signature(subject.model.forward).parameters
    more: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in accepted else {}
    if "position_ids" in accepted:
        more["position_ids"] = torch.arange(longest, device=subject.device)[None].expand(len(whole), -1)
    with UnitTap(units, last=False) as tap:
        subject.model(input_ids=ids, use_cache=False, **more)
        norms = tap.norms()
    out = []
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        steps = slice(len(prompt) - 1, len(prompt) - 1 + len(response))
        out.append(_as_units(norms[:, row, steps].transpose(0, 1), units))
    return out


def _check(logits: Tensor) -> None:
    if not torch.isfinite(logits).all():
        raise SubjectError("the logits are not finite", "in float16 or bfloat16 try --dtype float32")


def _left_padded(subject: Subject, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, prompts))
    pad = subject.ends[0] if subject.ends else 0
    ids = torch.full((len(prompts), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, tokens in enumerate(prompts):
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, longest - len(tokens) :] = 1
    return ids.to(subject.device), mask.to(subject.device)


def _responses(
    tokens: Tensor, activity: Tensor, lengths: Tensor, ends: Tensor, units: Units, read: bool
) -> list[Response]:
    steps_of, all_tokens, end_ids = lengths.tolist(), tokens.T.tolist(), set(ends.tolist())
    out = []
    for row, steps in enumerate(steps_of):
        mine = all_tokens[row][:steps]
        values = _as_units(activity[:steps, :, row], units) if read else np.empty((0, steps), np.float32)
        out.append(Response(mine, mine[-1] in end_ids, values))
    return out


def _as_units(values: Float[Tensor, "steps layers per_layer"], units: Units) -> Any:
    found = np.ascontiguousarray(values.flatten(1).T.cpu().numpy())
    if not np.isfinite(found[units.present.ravel()]).all():
        raise SubjectError("an activity is not finite", "in float16 or bfloat16 try --dtype float32")
    return found
