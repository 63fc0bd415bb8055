"""A subject that reads given tokens: the hidden states that predict them, and how likely they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synergy_tui.ablation.head import ROWS, OutputHead
from synergy_tui.ablation.linear import LaidOut
from synergy_tui.ablation.packing import Pass, Sequences, attention_of, passes
from synergy_tui.errors import SubjectError
from synergy_tui.subject import positions, ranks
from synergy_tui.subject.loading import Subject
from synergy_tui.tasks.options import Options

SAME = {torch.float32: 1e-4}
"""How far packed hidden states may differ from those of a separate sequence, as a share of their norm; in 16 bits
rounding itself is larger."""
SAME_16_BITS = 0.1


class Reader:
    """A subject with its output embedding, laid out for long passes."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.head = OutputHead(subject)
        self._linear = LaidOut(subject.base, ROWS)

    def hidden(self, tokens: Pass) -> Float[Tensor, "steps width"]:
        """Hidden states of a pass at the positions that predict response tokens."""
        model = self.subject.base
        with attention_of(model, tokens), self._linear.here():
            out = model(input_ids=tokens.ids, position_ids=tokens.positions, use_cache=False)
        return out.last_hidden_state[tokens.rows, tokens.places].float()

    def passes(self, sequences: Sequences, batch: int, packed: bool | None = None) -> tuple[list[Pass], bool]:
        """All sequences in passes, and whether they share them without padding, which is tested if not given. If
        positions depend on a sequence's length, each sequence has a pass of its own."""
        most = positions.boundary(self.subject.model)
        if most is not None and max(len(sequences.whole(one)) + 1 for one in range(len(sequences.prompts))) > most:
            packed, batch = False, 1  # a sequence's positions must not depend on its neighbours
        packed = ranks.agreed(self._packs(sequences)) if packed is None else packed
        return passes(sequences, batch, self.subject.device, packed), packed

    def _packs(self, sequences: Sequences) -> bool:
        """Whether sequences in one row give the same hidden states as alone."""
        by_length = sorted(range(len(sequences.prompts)), key=lambda one: len(sequences.whole(one)))
        if len(by_length) < 2:
            return False
        which = [by_length[0], by_length[-1]]
        some = Sequences([sequences.prompts[k] for k in which], [sequences.responses[k] for k in which])
        device, dtype = self.subject.device, self.subject.model.dtype
        try:
            (together,) = passes(some, 2, device, packed=True)
            hidden = self.hidden(together)
        except torch.OutOfMemoryError:
            raise
        except (NotImplementedError, RuntimeError, TypeError, ValueError, AttributeError):
            return False  # the family's attention is not plain causal, or does not go through the interface
        for one in passes(some, 1, device, packed=False):
            alone, mine = self.hidden(one), hidden[together.step_of == one.sequences[0]]
            if not bool((mine - alone).norm() <= SAME.get(dtype, SAME_16_BITS) * alone.norm()):
                return False
        return True


class Likelihoods:
    """How likely each continuation is after each prompt. One pass reads a prompt once with every continuation that does
    not begin another one, except for its last token; logits are computed only where needed."""

    @torch.inference_mode()
    def __init__(
        self, reader: Reader, prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[Any]], batch: int
    ) -> None:
        """continuations: of each prompt, tuples of token ids."""
        self._reader = reader
        self._shape = [len(some) for some in continuations]
        asked: list[Sequence[int]] = []
        read: list[list[int]] = []
        terms: list[tuple[int, int, int, int]] = []  # continuation, sequence, step in it, token
        number = 0
        for prompt, some in zip(prompts, continuations, strict=True):
            stems = dict.fromkeys(tuple(one[:-1]) for one in some)
            whole = [one for one in stems if not any(one != other and one == other[: len(one)] for other in stems)]
            for one in some:
                at = next(k for k, stem in enumerate(whole) if stem[: len(one) - 1] == tuple(one[:-1]))
                terms += [(number, len(asked) + at, step, token) for step, token in enumerate(one)]
                number += 1
            asked += [prompt] * len(whole)
            read += [[*stem, 0] for stem in whole]  # nothing is predicted from the last token
        sequences = Sequences(asked, read)
        self._passes, self.packed = reader.passes(sequences, batch)
        self._count = number
        self._terms = []
        for one in self._passes:
            first, start = {}, 0
            for sequence in one.sequences:
                first[sequence], start = start, start + len(read[sequence])
            mine = [(number, first[at] + step, token) for number, at, step, token in terms if at in first]
            self._terms.append(torch.tensor(mine, device=reader.subject.device).T)

    @torch.inference_mode()
    def now(self) -> list[Float[np.ndarray, " continuations"]]:
        """ln p of every prompt's continuations under the subject's current state, nats. Raises SubjectError when one is
        not finite."""
        head = self._reader.head
        out = torch.zeros(self._count, dtype=torch.float64, device=self._reader.subject.device)
        for one, (numbers, steps, tokens) in zip(self._passes, self._terms, strict=True):
            with ranks.in_step():
                hidden = self._reader.hidden(one)
            log_sum, _ = head.summed(hidden)
            said = head.chosen(hidden[steps], tokens) - log_sum[steps]
            out.index_add_(0, numbers, said.double())
        values = ranks.same(out).cpu().numpy()
        if not np.isfinite(values).all():
            raise SubjectError("the logits are not finite", "in float16 or bfloat16 try --dtype float32")
        return np.split(values, np.cumsum(self._shape)[:-1])


def ways(subject: Subject, options: Options | None) -> list[list[tuple[int, ...]]]:
    """The ways in which the subject can write the options of a task, each once: for each way, the tokens of every
    option. The tokens must decode to the option, and no two options may have the same tokens. Empty without options."""
    out: dict[tuple[tuple[int, ...], ...], None] = {}
    tokenizer = subject.tokenizer
    there = subject.model.get_input_embeddings().num_embeddings
    for way in options.forms() if options else []:
        tokens = tuple(tuple(tokenizer(one, add_special_tokens=False)["input_ids"]) for one in way)
        said = [tokenizer.decode(one, skip_special_tokens=True).strip() for one in tokens]
        known = all(0 <= token < there for one in tokens for token in one)
        if said == [one.strip() for one in way] and known and len(set(tokens)) == len(tokens):
            out[tokens] = None
    return [list(one) for one in out]
