"""The usual files of ARC, MATH, GSM8K and MMLU → ladders. Each comes from a given file or folder, else from the hub."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from synergy_tui.errors import TaskError
from synergy_tui.settings import user_path
from synergy_tui.tasks.ladder import Ladder, LadderPrompt, build, in_order
from synergy_tui.tasks.results.formulas import box
from synergy_tui.tasks.rows import ENDINGS, Row, column, items, read, texts_by_name

_STEPS = "Explain step by step, and end with: The answer is"
_LETTER = "Begin with: The answer is, and the letter. Then explain."
_MOST_STEPS = 8
_SUBJECTS = ("elementary", "high_school", "college", "professional")
_SUFFIXES = tuple(one for one in ENDINGS if one != ".txt")
_PATIENCE = 8

Found = list[tuple[str, LadderPrompt]]


class Source(NamedTuple):
    """repository, files: on the hub. rows: (rows, name of their file, column of the level) → prompts with levels.
    order: of the levels, by their names."""

    repository: str
    files: tuple[str, ...]
    rows: Callable[[list[Row], str, str | None], Found]
    order: Callable[[list[str]], list[str]]


def load(source: str, place: str, level_column: str | None, order: Sequence[str] = ()) -> Ladder:
    """A ladder of one of SOURCES. place: a file, a folder of files, a hub id, or nothing for the usual hub id. order:
    of its levels; if empty, the source's own order, or the order of a column's numbers. Raises TaskError."""
    one = SOURCES[source]
    found: Found = []
    for path in _files(one, source, place):
        rows = read(path)
        if not rows:
            raise TaskError(f"{path} has no rows", "check the file")
        found += one.rows(rows, f"{path.parent.name}/{path.name}", level_column)
    if not found:
        raise TaskError(f"nothing in {place or one.repository} is a prompt of {source}", "check the files")
    numbered = [
        (level, LadderPrompt(f"{prompt.id or ''}#{number}", 0, prompt.text, prompt.answer, prompt.verifier))
        for number, (level, prompt) in enumerate(found, 1)
    ]
    names = list(dict.fromkeys(level for level, _ in numbered))
    if not order:
        order = in_order(place or source, names) if level_column else one.order(names)
    return build(source, numbered, order)


def _files(one: Source, source: str, place: str) -> list[Path]:
    path = user_path(place) if place else None
    if path is not None and path.is_file():
        return [path]
    if path is not None and path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES)
        if not inside:
            raise TaskError(
                f"{path} holds no file with rows ({', '.join(_SUFFIXES)})", "give the folder with the data's files"
            )
        return inside
    repository = place or one.repository
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise TaskError(f"no file or folder {place!r}", f"give {source}:FILE, {source}:FOLDER, or {source}:owner/name")
    return _from_hub(repository, one.files, source)


def _from_hub(repository: str, files: tuple[str, ...], source: str) -> list[Path]:
    from huggingface_hub import HfApi, hf_hub_download

    mend = f"fetch its files elsewhere and give {source}:FOLDER"
    try:
        # This request comes first, because it does not retry.
        there = HfApi().dataset_info(repository, timeout=_PATIENCE)
        names = {file.rfilename for file in there.siblings or ()}
        wanted = [name for name in files if name in names] or [
            name for name in sorted(names) if "test" in name and name.endswith(_SUFFIXES)
        ]
        if not wanted:
            raise TaskError(f"{repository} has none of the usual files of {source}", mend)
        return [Path(hf_hub_download(repository, name, repo_type="dataset")) for name in wanted]
    except TaskError:
        raise
    except Exception as error:  # the hub client raises what its transport does
        what = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise TaskError(f"{repository} cannot be fetched from the hub: {what}", mend) from None


def _arc(rows: list[Row], where: str, level_column: str | None) -> Found:
    """The file gives the level: ARC-Easy or ARC-Challenge."""
    level = next((name for name in ("Easy", "Challenge") if name.lower() in where.lower()), "")
    if not level and not level_column:
        raise TaskError(f"{where} is neither ARC-Easy nor ARC-Challenge by its name", "name the file or folder so")
    if level_column:
        column(rows, level_column, (), "level", where)
    found = []
    for row in rows:
        question: Any = row.get("question")
        choices: Any = row.get("choices")
        if isinstance(question, dict):  # as AI2 publishes it
            question, choices = question.get("stem"), question.get("choices")
        if isinstance(choices, str):
            choices = texts_by_name(choices, where)
        if isinstance(choices, list):
            choices = {"text": [one["text"] for one in choices], "label": [one["label"] for one in choices]}
        if not (isinstance(question, str) and isinstance(choices, dict) and row.get("answerKey")):
            raise TaskError(f"{where} has a row without question, choices and answerKey", "is that a file of ARC?")
        labels = [_letter(one) for one in choices["label"]]
        text = _multiple_choice(question, choices["text"], labels)
        name = str(row[level_column]) if level_column else level
        found.append((name, LadderPrompt(str(row.get("id", "")), 0, text, _letter(row["answerKey"]), "choice")))
    return found


def _letter(label: Any) -> str:
    """ARC labels some choices 1 to 4."""
    text = str(label).strip()
    return "ABCDEFGHIJ"[int(text) - 1] if text.isdigit() and 1 <= int(text) <= 10 else text.upper()


def _multiple_choice(question: str, texts: list[str], labels: list[str]) -> str:
    lines = "\n".join(f"{label}) {text}" for label, text in zip(labels, texts, strict=True))
    return f"{question}\n{lines}\n{_LETTER}"


def _math(rows: list[Row], where: str, level_column: str | None) -> Found:
    text = column(rows, None, ("problem", "question"), "text", where)
    level = column(rows, level_column, ("level",), "level", where)
    found = []
    for row in rows:
        name = str(row[level]).strip()
        if name.endswith("?"):
            continue  # two of the published problems
        answer = row.get("answer") or _boxed(str(row.get("solution") or ""))
        if not answer:
            raise TaskError(f"{where} has a problem without answer or \\boxed solution", "is that a file of MATH?")
        asked = f"{row[text]}\nExplain step by step, and end with the answer in \\boxed{{}}."
        found.append((name, LadderPrompt(str(row.get("unique_id", "")), 0, asked, str(answer), "boxed")))
    return found


def _boxed(solution: str) -> str:
    found = box(solution)
    return found.text if found else ""


def _gsm8k(rows: list[Row], where: str, level_column: str | None) -> Found:
    """The level is the number of lines in the solution; eight and more are one level."""
    text = column(rows, None, ("question",), "text", where)
    answers = column(rows, None, ("answer",), "answer", where)
    if level_column:
        column(rows, level_column, (), "level", where)
    found = []
    for row in rows:
        solution, mark, answer = str(row[answers]).rpartition("####")
        if not mark:
            raise TaskError(f"{where} has an answer without ####", "is that a file of GSM8K?")
        steps = max(sum(bool(line.strip()) for line in solution.split("\n")), 1)
        name = str(row[level_column]) if level_column else f"{min(steps, _MOST_STEPS)} steps"
        found.append((name, LadderPrompt("", 0, f"{row[text]}\n{_STEPS} and the number.", answer.strip(), "number")))
    return found


def _mmlu(rows: list[Row], where: str, level_column: str | None) -> Found:
    """The level comes from the subject (elementary, high school, college, professional) or from a column."""
    text = column(rows, None, ("question",), "text", where)
    level = column(rows, level_column, ("subject",), "level", where)
    found = []
    for row in rows:
        name = str(row[level])
        if not level_column:
            name = next((one for one in _SUBJECTS if name.startswith(one)), "")
            if not name:
                continue  # most subjects have no level in their name
        choices = items(row.get("choices"), where)
        labels = list("ABCDEFGHIJ"[: len(choices)])
        asked = _multiple_choice(str(row[text]), choices, labels)
        right = _numbered(row.get("answer"), labels, where)
        found.append((name.replace("_", " "), LadderPrompt("", 0, asked, right, "choice")))
    return found


def _numbered(answer: Any, labels: list[str], where: str) -> str:
    """The letter of an answer that is a letter, or a number from 0, perhaps as text."""
    text = str(answer).strip().upper().removesuffix(".0")
    letter = labels[int(text)] if text.isdecimal() and int(text) < len(labels) else text
    if letter not in labels:
        raise TaskError(f"{where} has the answer {answer!r} to {len(labels)} choices", "is that a file of MMLU?")
    return letter


def _by_number(names: list[str]) -> list[str]:
    return sorted(names, key=lambda name: (int((re.findall(r"\d+", name) or ["0"])[0]), name))


def _as_listed(*words: str) -> Callable[[list[str]], list[str]]:
    return lambda names: sorted(names, key=lambda name: words.index(name) if name in words else len(words))


SOURCES = {
    "arc": Source(
        "allenai/ai2_arc",
        ("ARC-Easy/test-00000-of-00001.parquet", "ARC-Challenge/test-00000-of-00001.parquet"),
        _arc,
        _as_listed("Easy", "Challenge"),
    ),
    "math": Source("nlile/hendrycks-MATH-benchmark", ("data/test-00000-of-00001.parquet",), _math, _by_number),
    "gsm8k": Source("openai/gsm8k", ("main/test-00000-of-00001.parquet",), _gsm8k, _by_number),
    "mmlu": Source(
        "cais/mmlu",
        ("all/test-00000-of-00001.parquet",),
        _mmlu,
        _as_listed(*(one.replace("_", " ") for one in _SUBJECTS)),
    ),
}
