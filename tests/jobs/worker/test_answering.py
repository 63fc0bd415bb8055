"""Graded answers: options by likelihood on models whose likelihoods are known, others by what is answered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import make_tiny

from synergy_tui.ablation.reading import Likelihoods, Reader
from synergy_tui.bench.families import subject_of
from synergy_tui.errors import SubjectError
from synergy_tui.jobs.worker.answering import Examination
from synergy_tui.subject.loading import load
from synergy_tui.subject.sources import resolve
from synergy_tui.subject.taps import UnitsRemoved
from synergy_tui.tasks.graded import Task

PROMPTS = [[1, 2, 3, 4, 5, 6], [1, 2, 3, 9], [1, 2, 3, 30, 31, 32, 33]]
CONTINUATIONS = [[(7,), (8, 9), (8, 10, 11), (8,)], [(7, 8, 9, 10)], [(5,), (6,), (4, 4)]]
LETTERS = "\nA) a\nB) b\nC) c\nAnswer with the letter."
TASKS = [
    Task("1", "letters", "One?" + LETTERS, "C", "choice"),
    Task("2", "letters", "Two?" + LETTERS, "B", "choice"),
    Task("3", "words", "Is it so? Answer yes or no.", "no", "word"),
    Task("4", "words", "Is it so then? Answer yes or no.", "yes", "word"),
    Task("5", "open", "What is it?", "ccc", "word"),
    Task("6", "open", "What is it, and what else is there?", "nothing", "word"),
]


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2", "mamba2", "mixtral"])
def test_likelihoods_are_the_products_of_each_tokens_own(name):
    subject = subject_of(name)
    removed = {1: [0, 1], 2: [3]}
    asked = Likelihoods(Reader(subject), PROMPTS, CONTINUATIONS, 16)
    for some in ({}, removed):
        with UnitsRemoved(subject.units(), some), torch.inference_mode():
            found = asked.now()
            for prompt, ways, values in zip(PROMPTS, CONTINUATIONS, found, strict=True):
                for way, value in zip(ways, values, strict=True):
                    logits = subject.model(torch.tensor([[*prompt, *way]]), use_cache=False).logits[0].double()
                    logs = logits.log_softmax(-1)
                    plain = sum(logs[len(prompt) - 1 + step, token].item() for step, token in enumerate(way))
                    assert value == pytest.approx(plain, rel=1e-4, abs=1e-4)


@pytest.fixture
def told(tmp_path):
    """A subject that says each byte with a known chance, whatever it is asked."""
    folder = make_tiny(tmp_path / "told", "gpt2", n_embd=32, n_layer=2, n_head=2, tie_word_embeddings=False)
    subject = load(resolve(str(folder)), tmp_path, "cpu", "float32")
    subject.base.ln_f.weight.zero_()
    subject.base.ln_f.bias.zero_()[0] = 1.0
    logits = subject.model.lm_head.weight.zero_()[:, 0]
    for letter, value in {"A": 1.0, "B": 2.0, "C": 4.0, "c": 5.0, "y": -1.0, "e": 0.5, "s": 0.5, "n": 0.25}.items():
        logits[subject.tokenizer.convert_tokens_to_ids(letter)] = value
    return subject


def test_options_are_graded_by_what_is_likeliest_and_others_by_what_is_said(told):
    exam = Examination(told, TASKS, False, 4, 6)
    chances = exam.chances()
    letters = np.exp([1.0, 2.0, 4.0])
    np.testing.assert_allclose(chances[0], letters / letters.sum(), rtol=1e-5)
    np.testing.assert_allclose(chances[1], letters / letters.sum(), rtol=1e-5)
    # In small letters and with a capital: a product of its bytes' chances, whose sum over all bytes is one.
    logits = told.model.lm_head.weight[:, 0].double()
    p = logits.softmax(0)
    ways = {word: [told.tokenizer(way)["input_ids"] for way in (word, word.capitalize())] for word in ("yes", "no")}
    yes, no = (sum(float(torch.prod(p[tokens])) for tokens in some) for some in ways.values())
    np.testing.assert_allclose(chances[2], [yes / (yes + no), no / (yes + no)], rtol=1e-4)
    # It says c for ever: never a whole word, so what it answers is unfinished.
    assert exam.grades() == ["right", "wrong", "right", "wrong", "unfinished", "unfinished"]
    answered = Examination(told, TASKS, False, 4, 6, by_likelihood=False).grades()
    assert "right" not in answered


def test_the_ablated_subject_is_graded_as_the_intact_one_and_in_any_batch(tiny, tmp_path):
    subject = load(resolve(str(tiny)), tmp_path, "cpu", "float32")
    exams = [Examination(subject, TASKS, True, batch, 6) for batch in (1, 16)]
    for removed in (None, {0: [1], 3: [0, 2]}):
        one, other = (e.grades(removed and UnitsRemoved(subject.units(), removed)) for e in exams)
        assert one == other
        assert set(one[:4]) <= {"right", "wrong"}


def test_likelihoods_that_are_no_numbers_are_refused(told):
    exam = Examination(told, TASKS, False, 4, 6)
    told.model.lm_head.weight[told.tokenizer.convert_tokens_to_ids("A"), 0] = torch.nan
    with pytest.raises(SubjectError, match="not finite"):
        exam.grades()
