"""Files and folders of tasks in every form that people have them: read alike by captures, ladders and graded tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synergy_tui.errors import TaskError
from synergy_tui.tasks import graded, ladders, prompts
from synergy_tui.tasks.rows import read

ROWS: list[dict[str, Any]] = [
    {"id": number, "question": f"  What is {number} plus {number}? ", "answer": str(2 * number), "level": number % 3}
    for number in range(12)
]


def _csv(rows: list[dict[str, Any]], mark: str) -> str:
    lines = [mark.join(rows[0]), *(mark.join(f'"{value}"' for value in row.values()) for row in rows)]
    return "\n".join(lines) + "\n"


def _arrow(path: Path, stream: bool) -> None:
    table = pa.Table.from_pylist(ROWS)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema) as file:
        file.write_table(table)


FORMS: dict[str, Any] = {
    "rows.jsonl": lambda: "".join(json.dumps(row) + "\n" for row in ROWS),
    "bom.jsonl": lambda: "\ufeff" + "".join(json.dumps(row) + "\r\n" for row in ROWS),
    "rows.ndjson": lambda: "\n".join(json.dumps(row) for row in ROWS),
    "array.json": lambda: json.dumps(ROWS),
    "indented.json": lambda: json.dumps(ROWS, indent=2),
    "nested.json": lambda: json.dumps({"version": 1, "data": ROWS}, indent=1),
    "deeper.json": lambda: json.dumps({"result": {"rows": ROWS}}),
    "hub.json": lambda: json.dumps({"features": {}, "rows": [{"row_idx": 0, "row": row} for row in ROWS]}),
    "columns.json": lambda: json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
    "lines.json": lambda: "".join(json.dumps(row) + "\n" for row in ROWS),
    "comma.csv": lambda: _csv(ROWS, ","),
    "semicolon.csv": lambda: _csv(ROWS, ";"),
    "tab.tsv": lambda: _csv(ROWS, "\t"),
    "tab.csv": lambda: _csv(ROWS, "\t"),
}


@pytest.fixture(params=[*FORMS, "rows.parquet", "stream.arrow", "file.arrow", "folder", "saved", "shards"])
def source(request, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    if request.param in FORMS:
        path.write_text(FORMS[request.param](), "utf-8")
    elif request.param.endswith(".arrow"):
        _arrow(path, request.param.startswith("stream"))
    elif request.param == "rows.parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif request.param == "saved":
        path.mkdir()
        _arrow(path / "data-00000-of-00001.arrow", True)
        (path / "dataset_info.json").write_text('{"features": {}}')
        (path / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    elif request.param == "shards":
        (path / "data").mkdir(parents=True)
        (path / "README.md").write_text("# A dataset\n")
        for part in range(2):
            rows = pa.Table.from_pylist(ROWS[6 * part : 6 * part + 6])
            pq.write_table(rows, path / "data" / f"test-{part:05d}-of-00002.parquet")
    else:
        path.mkdir()
        (path / "test.jsonl").write_text(FORMS["rows.jsonl"]())
    return path


def test_every_form_is_read_alike_by_captures_ladders_and_graded_tasks(source: Path):
    asked = prompts.load(str(source)).prompts
    assert [one.id for one in asked] == [str(number) for number in range(12)]
    assert [one.text for one in asked] == [row["question"] for row in ROWS]
    ladder = ladders.load(str(source))
    assert (ladder.levels, {one.verifier for one in ladder.prompts}) == (("0", "1", "2"), {"number"})
    assert sorted(one.text for one in ladder.prompts) == sorted(row["question"] for row in ROWS)
    tasks = graded.load(str(source))
    assert [(one.id, one.text, one.answer, one.grade) for one in tasks] == [
        (str(row["id"]), row["question"], row["answer"], "number") for row in ROWS
    ]


def _write(path: Path, *rows: Any) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"text": "Q: 2 + 2?\nA: "}, "Q: 2 + 2?\nA: "),
        ({"prompt": "\n\nHi"}, "\n\nHi"),
        ({"question": "Why?"}, "Why?"),
        ({"instruction": "Add.", "input": "2, 3", "output": "5"}, "Add.\n\n2, 3"),
        ({"instruction": "Name a river.", "input": ""}, "Name a river."),
        ("  a text alone ", "  a text alone "),
    ],
)
def test_the_usual_columns_are_asked_as_they_stand(row, text, tmp_path: Path):
    assert prompts.load(_write(tmp_path / "one.jsonl", row)).prompts[0].text == text


def test_a_text_file_has_a_prompt_on_each_line_with_its_blanks(tmp_path: Path):
    (tmp_path / "lines.txt").write_bytes(b"A: \r\n\n  B\n")
    assert [one.text for one in prompts.load(str(tmp_path / "lines.txt")).prompts] == ["A: ", "  B"]


def test_messages_keep_their_roles_and_leave_out_the_answer(tmp_path: Path):
    said = [("system", "Be brief."), ("user", "1?"), ("assistant", "2."), ("user", "3?"), ("assistant", "4.")]
    row = {"messages": [{"role": role, "content": content} for role, content in said]}
    (found,) = prompts.load(_write(tmp_path / "chat.jsonl", row)).prompts
    assert found.messages == tuple(said[:4])
    assert found.text == "system: Be brief.\nuser: 1?\nassistant: 2.\nuser: 3?"
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}
    (found,) = prompts.load(_write(tmp_path / "parts.jsonl", parts)).prompts
    assert found.messages == (("user", "Hi"),)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.docx", "x", "has an unknown ending"),
        ("a.jsonl.gz", "x", "has an unknown ending"),
        ("a", "x", "has an unknown ending"),
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"a": 1}', "holds no array of rows"),
        ("a.json", '{"a": [{"text": "x"}], "b": [{"text": "y"}]}', "has arrays under a, b"),
        ("a.json", "[1, 2]", "entry 1 is no object"),
        ("a.json", "[" * 100_000, "is nested too deeply"),
        ("a.jsonl", '[{"text": "x"}]\n', "line 1 is no object"),
        ("a.csv", "text\na,b\n", "line 2 has more fields than its header"),
        ("a.arrow", "x", "is no Arrow"),
        ("a.parquet", "x", "is no Parquet"),
        ("a.jsonl", '{"messages": [{"role": "alien", "content": "x"}]}\n', "no role among"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": [{"type": "image"}]}]}\n', "no text as its content"),
        ("a.jsonl", '{"messages": [{"role": "assistant", "content": "x"}]}\n', "no message of the user"),
        ("a.jsonl", '{"text": "   "}\n', "has no text"),
    ],
)
def test_what_cannot_be_read_says_why(name, content, said, tmp_path: Path):
    (tmp_path / name).write_text(content)
    with pytest.raises(TaskError, match=said):
        prompts.load(str(tmp_path / name))


def test_a_folder_of_several_splits_asks_for_one(tmp_path: Path):
    for split in ("train", "test"):
        _write(tmp_path / f"{split}-00000-of-00001.jsonl", {"text": split})
    with pytest.raises(TaskError, match=r"has several sets: test-.*train-"):
        prompts.load(str(tmp_path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskError, match="holds no file with rows"):
        prompts.load(str(tmp_path / "empty"))


def _levels(folder: Path, names: list[str]) -> str:
    return _write(folder / "l.jsonl", *({"text": f"{one}?", "answer": "1", "level": one} for one in names))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Level 3", "Level 10", "Level 1"], ("Level 1", "Level 3", "Level 10")),
        (["2 steps", "10 steps", "1 steps"], ("1 steps", "2 steps", "10 steps")),
        (["0.5", "-1", "1e3"], ("-1", "0.5", "1e3")),
        (["level-2", "level-11", "level-1"], ("level-1", "level-2", "level-11")),
        (["2 of 3", "3 of 3", "1 of 3"], ("1 of 3", "2 of 3", "3 of 3")),
    ],
)
def test_numbered_levels_stand_in_natural_order(names, expected, tmp_path: Path):
    assert ladders.load(_levels(tmp_path, names)).levels == expected


def test_levels_without_numbers_are_named_or_refused(tmp_path: Path):
    name = _levels(tmp_path, ["hard", "easy", "medium"])
    with pytest.raises(TaskError, match=r"are no numbers: hard, easy, medium .* --levels hard,easy,medium"):
        ladders.load(name)
    assert ladders.load(name, order=("easy", "medium", "hard")).levels == ("easy", "medium", "hard")
    assert ladders.load(name, order=("easy", "hard")).levels == ("easy", "hard")
    with pytest.raises(TaskError, match="has no level 'simple'"):
        ladders.load(name, order=("simple", "hard"))


def test_lists_and_numbers_in_text_are_read_in_the_usual_benchmarks(tmp_path: Path):
    (tmp_path / "mmlu.csv").write_text(
        "question,choices,answer,subject\n"
        "q1,\"['a', 'b']\",1,college_x\n"
        "q2,\"['a' 'b, c']\",0,high_school_x\n"
        'q3,"[""a"", ""it\'s""]",B,elementary_x\n'
    )
    found = ladders.load(f"mmlu:{tmp_path / 'mmlu.csv'}")
    assert [(one.text.split("\n")[2], one.answer) for one in found.prompts] == [
        ("B) it's", "B"),
        ("B) b, c", "A"),
        ("B) b", "B"),
    ]
    (tmp_path / "ARC-Easy.csv").write_text(
        "id,question,choices,answerKey\n"
        "1,Why?,\"{'text': ['a]','b'], 'label': ['A','B']}\",A\n"
        "2,How?,\"{'text': array(['c', 'd'], dtype=object), 'label': array(['1', '2'], dtype=object)}\",2\n"
    )
    found = ladders.load(f"arc:{tmp_path / 'ARC-Easy.csv'}")
    assert [(one.text.split("\n")[1:3], one.answer) for one in found.prompts] == [
        (["A) a]", "B) b"], "A"),
        (["A) c", "B) d"], "B"),
    ]
    for answer in ("9", "E", "-1"):
        row = {"question": "q", "choices": ["a", "b"], "answer": answer, "subject": "college_x"}
        with pytest.raises(TaskError, match="has the answer"):
            ladders.load(f"mmlu:{_write(tmp_path / 'bad.jsonl', row)}")


def test_prompts_that_repeat_others_count_once(tmp_path: Path):
    rows = [{"text": f"Tell me about {one}.", "answer": "1", "level": place} for place, one in enumerate("abab")]
    found = prompts.load(_write(tmp_path / "twice.jsonl", *rows))
    assert [one.text[-2] for one in prompts.distinct(found).prompts] == ["a", "b"]
    same_level = [row | {"level": 1, "id": place} for place, row in enumerate(rows)] + [
        {"text": "x", "answer": "1", "level": 2}
    ]
    assert len(ladders.load(_write(tmp_path / "levels.jsonl", *same_level)).prompts) == 3


def test_rows_of_a_file_stay_rows(tmp_path: Path):
    assert read(Path(_write(tmp_path / "a.jsonl", {"a": 1}, "b"))) == [{"a": 1}, {"text": "b"}]
