"""Prompts → responses and norms of units: batched decoding with a KV cache, and replay of given responses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.errors import SubjectError, TaskError
from synergy_tui.subject import positions, ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.subject.sites import Units
from synergy_tui.subject.taps import UnitTap
from synergy_tui.tasks.asking import Messages


@dataclass(frozen=True)
class Response:
    """tokens: generated ids, the end token included. ended: whether the subject ended it by itself. activity: units'
    norms at the position that predicts each token; units are layer × per_layer + place, NaN where there is none."""

    tokens: list[int]
    ended: bool
    activity: Float[np.ndarray, "units steps"]


@dataclass(frozen=True)
class Sampling:
    """Tokens drawn at a temperature from the likeliest that hold `top_p` of the probability. What is drawn depends on
    the seed and the prompt's number alone, not on the batch it shares."""

    temperature: float
    top_p: float
    seed: int

    def chances(self, numbers: Sequence[int], steps: int) -> Float[np.ndarray, "steps prompts"]:
        """A uniform number for every step of every prompt."""
        return np.stack([np.random.default_rng([self.seed, one]).random(steps) for one in numbers], axis=1)

    def draw(self, logits: Float[Tensor, "batch vocabulary"], chance: Float[Tensor, " batch"]) -> Tensor:
        """One token of each row."""
        sorted_, order = (logits.float() / self.temperature).softmax(dim=-1).sort(dim=-1, descending=True)
        before = sorted_.cumsum(dim=-1) - sorted_
        kept = sorted_ * (before < self.top_p)
        reached = kept.cumsum(dim=-1) <= chance[:, None] * kept.sum(dim=-1, keepdim=True)
        place = reached.sum(dim=-1).clamp(max=(kept > 0).sum(dim=-1) - 1)
        return order.gather(1, place[:, None])


def encode(
    subject: Subject, prompts: Sequence[str | Messages], chat: bool, system: str | None = None
) -> list[list[int]]:
    """Token ids of prompts, in the chat template when the tokenizer has one and `chat` is set, after a system prompt
    where there is one. A prompt is a text, or messages with roles. Raises SubjectError when the template fails, and for
    tokens without an embedding; TaskError when there is no template for `system` or for messages."""
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
    except Exception as error:  # a template is a program of the model's and may raise anything
        mend = "leave out --system" if system is not None else "give a --system prompt" if "system" not in roles else ""
        raise SubjectError(
            f"its chat template fails: {type(error).__name__}: {str(error)[:200]} (messages with the roles {roles})",
            f"{mend}, or use --no-chat" if mend else "use --no-chat, or other roles",
        ) from error


def _check_embedded(subject: Subject, prompts: Sequence[Sequence[int]]) -> None:
    """Raises SubjectError when a token has no embedding: the tokenizer is not the model's, or was added to."""
    there = subject.model.get_input_embeddings().num_embeddings
    beyond = sorted({token for tokens in prompts for token in tokens if token >= there})
    if beyond:
        names = ", ".join(repr(subject.tokenizer.convert_ids_to_tokens(token)) for token in beyond[:4])
        raise SubjectError(
            f"its tokenizer makes tokens without an embedding ({names}; the model has {there} embeddings)",
            "use the tokenizer the model was trained with, or prompts without these tokens",
        )


def check_context(subject: Subject, prompts: Sequence[Sequence[int]], names: Sequence[str], steps: int) -> None:
    """Raises TaskError when a prompt has no token, or with its response is longer than the subject's context."""
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
) -> list[Response]:
    """Responses of at most `steps` tokens to a batch of prompts, padded on the left: greedy, or drawn by `sampling`,
    for which the prompts have `numbers`. units: whose activity is read, all heads by default. `each_step` is told the
    number of responses still growing; what it raises ends the batch. over: whether the response of a row, its tokens so
    far, is long enough. Without it nothing is copied to the host in the loop but one flag per step. Where positions
    depend on a sequence's length, one that may become long is alone in its batch. Raises SubjectError when an activity
    or the logits are not finite."""
    units = subject.units() if units is None else units
    numbers = range(len(prompts)) if numbers is None else numbers
    made: dict[int, Response] = {}
    for rows in _together(subject, [len(one) + steps - 1 for one in prompts]):
        passes = _Passes(subject, [prompts[row] for row in rows], units, steps)
        with ranks.in_step():
            found = passes.generated(
                each_step,
                sampling,
                [numbers[row] for row in rows],
                None if over is None else lambda row, tokens, rows=rows: over(rows[row], tokens),
            )
        made |= dict(zip(rows, found, strict=True))
    return [made[row] for row in range(len(prompts))]


def _together(subject: Subject, lengths: Sequence[int]) -> list[list[int]]:
    """Which sequences share passes: all, but for those that may become long where that changes their positions."""
    most = positions.boundary(subject.model)
    long = [] if most is None else [row for row, length in enumerate(lengths) if length > most]
    short = [row for row in range(len(lengths)) if row not in set(long)]
    return [*([short] if short else []), *([row] for row in long)]


class _Passes:
    """Passes over a batch of growing sequences, with a cache of their keys and values."""

    def __init__(self, subject: Subject, prompts: Sequence[Sequence[int]], units: Units, steps: int) -> None:
        self._subject, self._units, self._steps, self._batch = subject, units, steps, len(prompts)
        self._ids, self._mask = _left_padded(subject, prompts)
        self._positions = (self._mask.cumsum(1) - 1).clamp(min=0)
        self._accepted = inspect.signature(subject.model.forward).parameters
        self._constant = self._fresh()
        # Long sequences are alone: their lengths are that of the batch.
        most = positions.boundary(subject.model)
        self._turn = most if positions.computed_anew(subject.model) else None
        self._whole = self._ids
        device = subject.device
        self._tokens = torch.zeros((steps, self._batch), dtype=torch.long, device=device)
        size = (steps, units.layers, self._batch, units.per_layer)
        self._activity = torch.zeros(size, dtype=torch.float32, device=device)
        self._lengths = torch.full((self._batch,), steps, device=device)
        self._ends = torch.tensor(subject.ends, device=device)

    def _fresh(self) -> dict[str, Any]:
        from transformers import DynamicCache

        cache = DynamicCache(config=self._subject.model.config)
        name = "cache_params" if "cache_params" in self._accepted else "past_key_values"
        return {"use_cache": True, name: cache} | ({"logits_to_keep": 1} if "logits_to_keep" in self._accepted else {})

    @torch.inference_mode()
    def generated(
        self,
        each_step: Callable[[int], None],
        sampling: Sampling | None,
        numbers: Sequence[int],
        over: Callable[[int, Sequence[int]], bool] | None,
    ) -> list[Response]:
        """Responses, see `generate`."""
        device, chances = self._subject.device, None
        if sampling is not None:
            chances = torch.tensor(sampling.chances(numbers, self._steps), dtype=torch.float32, device=device)
        growing = torch.ones(self._batch, dtype=torch.bool, device=device)
        made = 0
        with UnitTap(self._units, last=True) as tap:
            for step in range(self._steps):
                logits = self._pass(step, tap)
                if step == 0 and not torch.isfinite(logits).all():
                    raise SubjectError("the logits are not finite", "in float16 or bfloat16 try --dtype float32")
                if sampling is None or chances is None:
                    ids = logits.argmax(dim=-1, keepdim=True)
                else:
                    ids = sampling.draw(logits, chances[step])
                ids = ranks.same(ids)  # a tie must not be broken one way here and another there
                self._tokens[step] = ids[:, 0]
                ended = growing & torch.isin(ids[:, 0], self._ends)
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
                self._grow(ids)
        lengths = self._lengths.clamp(max=made)
        return _responses(self._tokens[:made], self._activity[:made], lengths, self._ends, self._units)

    @torch.inference_mode()
    def forced(self, response: Sequence[int]) -> Float[np.ndarray, "units steps"]:
        """Norms of the one sequence of the batch, grown by the tokens of a given response."""
        with UnitTap(self._units, last=True) as tap:
            for step, token in enumerate(response):
                self._pass(step, tap)
                self._grow(torch.tensor([[token]], device=self._subject.device))
        found: Float[np.ndarray, "units steps"] = _as_units(self._activity[: len(response), :, 0], self._units)
        return found

    def _pass(self, step: int, tap: UnitTap) -> Tensor:
        """Logits of the next token; the units' norms are kept."""
        ids, more = self._ids, self._constant
        if self._turn is not None and self._batch == 1 and step and self._mask.shape[1] == self._turn + 1:
            ids, more = self._whole, self._fresh()
            self._positions = torch.arange(ids.shape[1], device=ids.device)[None]
            self._constant = more
        # Bloom and Mamba2 have no positions to be told; the others must not count the padding.
        if "position_ids" in self._accepted:
            more = more | {"position_ids": self._positions}
        logits: Tensor = self._subject.model(input_ids=ids, attention_mask=self._mask, **more).logits[:, -1]
        self._activity[step] = tap.norms()
        return logits

    def _grow(self, ids: Tensor) -> None:
        self._ids = ids
        self._whole = torch.cat([self._whole, ids], dim=1) if self._turn is not None else self._whole
        self._mask = torch.cat([self._mask, self._mask.new_ones((self._batch, 1))], dim=1)
        self._positions = self._positions[:, -1:] + 1


@torch.inference_mode()
def replay(
    subject: Subject,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    units: Units | None = None,
) -> list[Float[np.ndarray, "units steps"]]:
    """Norms of units on given responses from one teacher-forced pass over a batch, padded on the right (exact for
    causal models without a mask). A sequence that becomes long, where that changes its positions, is grown token by
    token as it was generated. Raises SubjectError when one is not finite."""
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


def _left_padded(subject: Subject, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(map(len, prompts))
    pad = subject.ends[0] if subject.ends else 0
    ids = torch.full((len(prompts), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(prompts), longest), dtype=torch.long)
    for row, tokens in enumerate(prompts):
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, longest - len(tokens) :] = 1
    return ids.to(subject.device), mask.to(subject.device)


def _responses(tokens: Tensor, activity: Tensor, lengths: Tensor, ends: Tensor, units: Units) -> list[Response]:
    steps_of, all_tokens, end_ids = lengths.tolist(), tokens.T.tolist(), set(ends.tolist())
    out = []
    for row, steps in enumerate(steps_of):
        mine = all_tokens[row][:steps]
        out.append(Response(mine, mine[-1] in end_ids, _as_units(activity[:steps, :, row], units)))
    return out


def _as_units(values: Float[Tensor, "steps layers per_layer"], units: Units) -> Any:
    found = np.ascontiguousarray(values.flatten(1).T.cpu().numpy())
    if not np.isfinite(found[units.present.ravel()]).all():
        raise SubjectError("an activity is not finite", "in float16 or bfloat16 try --dtype float32")
    return found
