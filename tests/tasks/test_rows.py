"""Files of tasks: whatever reads them, what is wrong is said with the file and the line."""

from pathlib import Path

import pytest

from synergy_tui.errors import TaskError
from synergy_tui.tasks import graded, ladders, prompts

READERS = [prompts.load, graded.load, ladders.load]


@pytest.mark.parametrize("load", READERS)
def test_every_reader_names_the_line_that_is_no_json_and_counts_blank_ones(load, tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text(
        '{"text": "a", "id": "1", "category": "c", "answer": "5", "grade": "number", "level": 1}\n\n{"text"\n'
    )
    with pytest.raises(TaskError, match=r"own\.jsonl line 3 is no JSON"):
        load(str(path))


@pytest.mark.parametrize("load", READERS)
def test_every_reader_refuses_what_is_not_utf_8(load, tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_bytes(b'{"text": "\xff"}\n')
    with pytest.raises(TaskError, match=r"own\.jsonl is no UTF-8 text"):
        load(str(path))


@pytest.mark.parametrize(("load", "said"), [(prompts.load, "has no column text"), (ladders.load, "has no column text")])
def test_a_csv_without_the_column_of_the_prompt_says_what_it_has(load, said, tmp_path: Path):
    path = tmp_path / "own.csv"
    path.write_text("words,level,answer\na,1,2\n")
    with pytest.raises(TaskError, match=said) as caught:
        load(str(path))
    assert "words, level, answer" in str(caught.value)


def test_a_graded_task_names_its_empty_field(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    path.write_text('\n{"id": "1", "category": "c", "text": "a", "answer": "", "grade": "number"}\n')
    with pytest.raises(TaskError, match=r"task 1 of .*own\.jsonl has no answer"):
        graded.load(str(path))
