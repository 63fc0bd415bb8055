"""The atlas of a cache: which cards are its rows, and what a file of cards may and may not be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from synergy_tui.bench.atlas import make_atlas
from synergy_tui.errors import UsageError
from synergy_tui.store import atlas, atlas_files
from synergy_tui.store.atlas_pairs import pairs
from synergy_tui.store.cache import Cache


@pytest.fixture
def filled(tmp_path: Path) -> Cache:
    cache = Cache.open(tmp_path / "cache")
    make_atlas(cache, 4, layers=4, per_layer=2)
    return cache


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    cache = Cache.open(tmp_path_factory.mktemp("shipped") / "cache")
    make_atlas(cache, 4, layers=4, per_layer=2)
    return atlas_files.as_bytes(atlas.read(cache).cards)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache.open(tmp_path_factory.mktemp("empty") / "cache")


@pytest.fixture
def file(shipped: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "cards.json"
    path.write_bytes(shipped)
    return path


def test_an_empty_cache_has_an_empty_atlas(empty):
    assert atlas.read(empty).cards == ()


def test_the_newest_card_of_a_subject_is_its_row(filled):
    with filled.write() as con:
        copied = "SELECT * REPLACE ('k9' AS card, 9 AS serial) FROM cards WHERE card = 'k0000'"
        con.execute(f"INSERT INTO cards {copied}")
        con.execute("INSERT INTO claims (card, claim, verdict, effect) VALUES ('k9', 'C1', 'supported', 0.7)")
        other = "SELECT * REPLACE ('kd' AS card, 'difference' AS ranking) FROM cards WHERE card = 'k0000'"
        con.execute(f"INSERT INTO cards {other}")
    cards = {one.entry: one for one in atlas.read(filled).cards}
    assert sorted(cards) == ["k0001", "k0002", "k0003", "k9", "kd"]
    assert cards["k9"].claims["C1"].effect == 0.7
    assert (cards["k9"].units, cards["k9"].definition) == (8, "gaussian·mmi τ1")
    assert [round(point.depth, 3) for point in cards["k9"].profile] == [0, 0.333, 0.667, 1]
    assert cards["k0001"].tuned == "instruct"


def test_an_area_of_an_earlier_card_has_the_level_that_its_measure_names(filled):
    with filled.write() as con:
        con.execute("UPDATE claims SET level = NULL")
    (first, *_) = atlas.read(filled).cards
    assert (first.claims["C1"].level, first.claims["C3"].level) == (0.95, 0.9)


def test_cards_go_to_another_cache_and_back_as_they_were(filled, file, tmp_path):
    other = Cache.open(tmp_path / "other")
    assert atlas_files.take_in(other, file) == atlas_files.Taken(4, 0, atlas_files.take_in(other, file).origin)
    own, come = atlas.read(filled).cards, atlas.read(other).cards
    origin = come[0].origin
    assert origin is not None
    assert len(origin) == 64
    assert repr([replace(one, origin=None) for one in come]) == repr(
        [replace(one, card=None, decomposition=None) for one in own]
    )
    again = tmp_path / "again.json"
    atlas_files.write(come, again)
    assert again.read_bytes() == file.read_bytes()
    # Both ways: what a cache has it does not take twice.
    assert atlas_files.take_in(filled, again).new == 0
    assert len(atlas.read(filled).cards) == 4
    assert atlas_files.forget(other, origin[:8]) == 4
    assert atlas.read(other).cards == ()
    with pytest.raises(UsageError, match="no card came from"):
        atlas_files.forget(other, origin)


def test_a_card_that_is_twice_in_a_file_is_counted(file, tmp_path):
    content = json.loads(file.read_text())
    content["cards"].append(content["cards"][0])
    file.write_text(json.dumps(content))
    found = atlas_files.take_in(Cache.open(tmp_path / "other"), file)
    assert (found.new, found.there) == (4, 1)


def changed(file: Path, **values: object) -> None:
    content = json.loads(file.read_text())
    for path, value in values.items():
        place = content
        *folders, last = path.split("__")
        for one in folders:
            place = place[int(one) if one.isdigit() else one]
        place[last] = value
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"version": 2, "more": "of a later version"}, "version 2, and this synergy-tui knows 1"),
        ({"format": "another"}, "no atlas file"),
        ({"cards__0__entry": "../../etc"}, "damaged"),
        ({"cards__0__subject": "x" * 301}, "damaged"),
        ({"cards__0__subject": " "}, "no subject"),
        ({"cards__0__layers": -1}, "damaged"),
        ({"cards__0__layers": 2**40}, "damaged"),
        ({"cards__0__tuned": "perhaps"}, "damaged"),
        ({"cards__0__more": 1}, "damaged"),
        ({"cards__0__claims__C1__verdict": "proven"}, "an unknown verdict on C1"),
        ({"cards__0__claims__C1__low": 9.0}, "the wrong way round"),
        ({"cards__0__claims__C1__level": 95}, "damaged"),
        ({"cards__0__claims__<b>": {}}, "damaged"),
        ({"cards__0__profile__0__layer": 1}, "a layer twice"),
        ({"cards__0__profile__0__depth": 2.0}, "damaged"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(values, said, file, empty):
    changed(file, **values)
    with pytest.raises(UsageError, match=said):
        atlas_files.take_in(empty, file)
    assert atlas.read(empty).cards == ()


@pytest.mark.parametrize("content", [b"", b"[1", b"[" * 100_000, b"\xff\xfe{}", b'{"format": 1}', b'"a"'])
def test_what_is_no_atlas_is_refused(content, empty, tmp_path):
    path = tmp_path / "cards.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no atlas file"):
        atlas_files.take_in(empty, path)


def test_a_number_beyond_all_is_refused(file, empty):
    text = file.read_text()
    first = json.loads(text)["cards"][0]["claims"]["C1"]["high"]
    file.write_text(text.replace(str(first), "1e999", 1))
    with pytest.raises(UsageError, match=r"damaged|not finite"):
        atlas_files.take_in(empty, file)


def test_files_are_neither_overwritten_nor_read_without_end(file, filled, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="there already"):
        atlas_files.write(atlas.read(filled).cards, file)
    with pytest.raises(UsageError, match="no file"):
        atlas_files.take_in(filled, tmp_path)
    monkeypatch.setattr(atlas_files, "MOST_BYTES", 100)
    with pytest.raises(UsageError, match="more than"):
        atlas_files.take_in(filled, file)


# Pairs.


def test_a_replay_of_another_model_and_controls_are_pairs(filled):
    with filled.write() as con:
        con.execute("UPDATE subjects SET name = 'made-base' WHERE name = 'made 000'")
        con.execute("UPDATE captures SET replayed = 'c0001' WHERE capture = 'c0000'")
        con.execute("UPDATE subjects SET weights_seed = 1, layers = 4 WHERE name IN ('made 002', 'made 003')")
        con.execute("INSERT INTO controls VALUES ('c0002', 'c0001', 'replayed', 2), ('c0003', 'c0001', 'replayed', 3)")
        con.execute(
            "INSERT INTO prompts (capture, prompt, id) SELECT capture, p, 'p' || p FROM captures, range(3) t(p)"
        )
        con.execute("""INSERT INTO unit_prompts SELECT decomposition, p, unit_index, 1 + random(), 1, 3, 0.5, 0.1
            FROM decompositions JOIN units USING (capture), range(3) t(p)""")
    replay, random = pairs(filled)
    assert (random.kind, random.tokens, len(random.others)) == ("trained − random", True, 2)
    assert random.first.values.shape == (3, 12, 5)
    assert (replay.kind, replay.first.subject, replay.others[0].subject) == (
        "instruct − base",
        "made 001",
        "made-base",
    )
    from synergy_tui.drawing.models import pair_rows

    rows = pair_rows((random, replay))
    assert [(one["over"], one["n"]) for one in rows] == [("initialisations", 2), ("prompts", 3)]
    assert all(one["low"] < one["difference"] < one["high"] for one in rows)
