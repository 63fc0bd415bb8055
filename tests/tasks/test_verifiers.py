"""Every verifier on cases whose grade is known: solvers that are always right, always wrong, and cut off anywhere."""

from __future__ import annotations

import json

import pytest
from tasks.solvers import CONTINUED, SOLVERS, WORDINGS, responses, wrong

from synergy_tui.settings import shipped
from synergy_tui.tasks import graded
from synergy_tui.tasks.verifiers import VERIFIERS, grade

RIGHT = [
    ("number", "She has 2 + 5 = 7 eggs.\nThen 7 * 3 = 21.\nThe answer is: 21", "21"),
    ("number", "She has 2 + 5 = 7 eggs.\nThen 7 * 3 = 21.\n#### 21", "21"),
    ("number", "2 + 5 = 7.\nSo he pays 7 * 3 = 21 dollars.\n**Answer:** 21", "21"),
    ("number", "It costs $31.00 altogether.\nThe answer is $31.00.", "31"),
    ("number", "4 * 12 = 48\nThe answer is 48.\n\nQuestion: Ann has 3 pens and loses 1.\nThe answer is 2.", "48"),
    ("number", "The answer is 2 500.", "2500"),
    ("number", "The answer is 2,500 dollars.", "2500"),
    ("number", "The answer is 2{,}500.", "2500"),
    ("number", "The answer is −7.", "-7"),
    ("number", "The answer is 3 + 4 = 7.", "7"),
    ("number", "Answer: 3 + 4 = 7\n7 * 2 = 14", "14"),
    ("number", "The answer is 9. Wait, I made a mistake: 3 + 4 = 7.", "7"),
    ("number", "The answer is not 9. 3 + 4 = 7", "7"),
    ("number", "3 + 4 = 7.\nSo she pays 12 dollars.", "12"),
    ("number", "Each pays **12** dollars.", "12"),
    ("number", "The result of 3 + 4 is 7.", "7"),
    ("number", "7 is what you get. The answer is seven.", "7"),
    ("digits", "The answer is 0b1011.", "1011"),
    ("digits", "255 in base 16 is ff.", "ff"),
    ("digits", "FF", "ff"),
    ("digits", "The answer is A.", "a"),
    ("digits", "The number is 1011 0110 in base 2.", "10110110"),
    ("yes-no", "Is there no way out? The answer is **Yes**.", "yes"),
    ("yes-no", "No, because no premise says so. Yes is what it would be otherwise.", "no"),
    ("choice", "(A) is too cold. (C) is too hot.\nThe answer is: B", "B"),
    ("choice", "Option A is wrong because it is small. The correct answer is option B.", "B"),
    ("choice", "The correct choice is \\boxed{B}; D is not.", "B"),
    ("choice", "The answer is \\boxed{\\text{B}}.", "B"),
    ("choice", "B) apple is a fruit. A) chair is not.", "B"),
    ("choice", "I would choose B because A is a chair.", "B"),
    ("choice", "A is wrong, C is wrong, but (B) is correct.", "B"),
    ("choice", "(b)", "B"),
    ("boxed", "The answer is $\\frac{1}{2}$.", "\\frac{1}{2}"),
    ("boxed", "The answer is $\\frac12$.", "\\frac{1}{2}"),
    ("boxed", "The answer is 0.5.", "\\frac{1}{2}"),
    ("boxed", "The answer is \\[ \\boxed{42} \\]", "42"),
    ("boxed", "\\boxed{x = \\boxed{42}}", "42"),
    ("boxed", "\\boxed{\\text{even}}", "even"),
    ("boxed", "So $x = 2\\sqrt{2}$.", "\\sqrt{8}"),
    ("boxed", "The answer is (1, 2).", "(1,2)"),
    ("boxed", "\\boxed{1+x^2}", "x^2 + 1"),
    ("phrase", "It is not London. The answer is Paris.", "Paris"),
    ("order", "The words pear, fig sorted alphabetically are fig and pear.", "fig, pear"),
    ("roles", 'Ann says: "Bob is a knight." If Bob is a knight, then so is she. So Bob is not a knight.', "Bob knave"),
    ("roles", "Knights: Ann and Bob. Knaves: Eve.", "Ann knight, Bob knight, Eve knave"),
    ("roles", "Ann and Bob are both knights, while Eve is a knave.", "Ann knight, Bob knight, Eve knave"),
]

NOT_RIGHT = [
    ("number", "The answer is 20.", "21"),
    ("number", "The answer is 21 5.", "215"),
    ("number", "21 is close. The answer is 22.", "21"),
    ("number", "The wrong answer is 21. 20 + 2 = 22", "21"),
    ("digits", "1011. The answer is 1010.", "1011"),
    ("yes-no", "There is no doubt about it.", "no"),
    ("choice", "(A) is too cold.", "A"),
    ("choice", "B is not correct. The answer is C.", "B"),
    ("choice", "A cat is an animal.", "A"),
    ("boxed", "\\boxed{\\frac{1}{3}}", "\\frac{1}{2}"),
    ("boxed", "\\boxed{9^{9^9}}", "3"),
    ("phrase", "It is not Paris but London.", "Paris"),
    ("order", "pear, fig. The answer is pear, fig.", "fig, pear"),
    ("roles", "If Ann is a knight, then all is well.", "Ann knight"),
    ("roles", "Ann is a knight or a knave.", "Ann knave"),
]


@pytest.mark.parametrize(("verifier", "response", "answer"), RIGHT)
def test_the_last_stated_result_counts_in_whatever_words(verifier, response, answer):
    found = grade(verifier, response, answer)
    assert found.name == "right", found


@pytest.mark.parametrize(("verifier", "response", "answer"), NOT_RIGHT)
def test_what_is_mentioned_denied_or_supposed_is_not_stated(verifier, response, answer):
    assert grade(verifier, response, answer).name in ("wrong", "unparsable")


def _rows(family: str, every: int) -> list[dict[str, str]]:
    lines = shipped(f"ladders/{family}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines[::every]]


@pytest.mark.parametrize("family", SOLVERS)
def test_a_solver_that_is_always_right_is_right_on_every_level_in_every_wording(family):
    for row in _rows(family, 5):
        for wording, response in responses(family, row["text"], row["answer"]):
            for more in ("", CONTINUED, f"\n\n{row['text']}\nThe answer is 5, no, D."):
                found = grade(row["verifier"], response + more, row["answer"], asked=row["text"])
                assert found.name == "right", (wording, found, response + more)


@pytest.mark.parametrize("family", SOLVERS)
def test_a_solver_that_is_always_wrong_is_never_right(family):
    for row in _rows(family, 5):
        for result in wrong(family, row["text"], row["answer"]):
            for wording, response in responses(family, row["text"], result):
                found = grade(row["verifier"], response, row["answer"], asked=row["text"])
                assert found.name == "wrong", (wording, found, response)


@pytest.mark.parametrize("family", SOLVERS)
def test_an_answer_cut_off_anywhere_is_unfinished_or_what_the_whole_one_is(family):
    for row in _rows(family, 40):
        results = [(row["answer"], "right")] + [(one, "wrong") for one in wrong(family, row["text"], row["answer"])]
        for result, whole in results:
            for wording, response in responses(family, row["text"], result):
                for length in range(0, len(response), 5):
                    found = grade(row["verifier"], response[:length], row["answer"], asked=row["text"], ended=False)
                    assert found.name in (whole, "unfinished"), (wording, found, response[:length])


_OWN = {
    "number": ("{}", "{}.", "It is {}.", "1 + 0 = {}"),
    "word": ("{}", "{}.", "It is {}!"),
    "phrase": ("{}", '"{}"'),
    "choice": ("{}", "{})", "({})", "Option {}", "**{})**", "{}) is the one"),
}


def test_graded_tasks_hold_a_solver_that_is_always_right_and_one_that_is_always_wrong():
    tasks = graded.load()
    assert (len(tasks), len({one.category for one in tasks})) == (96, 6)
    for task in tasks:
        answer = task.answer.partition("|")[0]
        lines = task.text.split("\n")
        repeated = ("\n".join(lines[:-1] or lines) + "\n{}", lines[0] + "\n{}", "Sure! Here is the answer:\n\n{}")
        wordings = (*_OWN[task.grade], *WORDINGS.values())
        for wording in (*wordings, *repeated):
            said = wording.format(answer)
            for more in ("", "\n\nQuestion: what?\nAnswer: 77 zebra D"):
                assert graded.graded(task, said + more).name == "right", (task, said + more)
            for length in range(len(said)):
                assert graded.graded(task, said[:length], ended=False).name in ("right", "unfinished"), said[:length]
        others = {one.answer.partition("|")[0] for one in tasks if one.category == task.category} - {answer}
        for other in sorted(others)[:4]:
            for wording in wordings:
                assert graded.graded(task, wording.format(other)).name == "wrong", (task, wording.format(other))


@pytest.mark.parametrize(
    ("kind", "answer", "said", "expected"),
    [
        ("number", "5", "2 + 3 = 5.", True),
        ("number", "5", "5 is not it, 6", False),
        ("number", "12", "1,2", False),
        ("number", "12", "12 or so", True),
        ("word", "cold|cool", "The opposite is Cold.", True),
        ("word", "cold", "It is colder", False),
        ("word", "cold", "warm\ncold", False),
        ("phrase", "two old friends", "Two old friends", True),
        ("choice", "B|apple", "B) apple", True),
        ("choice", "B|apple", "A) apple", False),
        ("choice", "B|apple", "The apple.", True),
    ],
)
def test_the_first_line_that_states_a_result_is_the_answer(kind, answer, said, expected):
    assert (graded.graded(graded.Task("1", "", "?", answer, kind), said).name == "right") is expected


def test_an_answer_is_over_once_its_grade_cannot_change():
    task = graded.Task("1", "", "What is the capital of France?", "Paris", "word")
    assert not graded.graded(task, "Paris", ended=False).final
    assert graded.graded(task, "Paris\n", ended=False).final
    assert not graded.graded(task, "The answer is:\n", ended=False).final
    assert not grade("number", "The answer is 5.\n", "5", ended=False).final
    assert grade("number", "The answer is 5.\nQuestion: and 6?", "5", ended=False).final


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize(
    "piece", ["Q:\n", "=", "**", "\\boxed{", "The answer is ", "1 000 ", "Ann is a ", "(A", "a, b, "]
)
def test_long_and_hostile_responses_end_soon(verifier, piece):
    answer = {"roles": "Ann knight", "order": "a, b"}.get(verifier, "5")
    assert grade(verifier, piece * 5_000, answer).name in ("right", "wrong", "unparsable")
