"""The same series make the same tables whichever file they come in; what is unclear is asked, what is unsafe is
refused."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from conftest import ar1
from safetensors.numpy import save_file
from scipy.io import savemat

from synergy_tui.errors import UsageError
from synergy_tui.incoming.files import Choices, import_file
from synergy_tui.incoming.series import import_series
from synergy_tui.store import load
from synergy_tui.store.cache import Cache

SERIES = ar1(np.random.default_rng(1), (6, 5, 40), 0.5).astype(np.float32)
SERIES[3, :, 31:] = np.nan
RECORDING = ar1(np.random.default_rng(2), (5, 130), 0.5)
ALL = Choices(every=True)


@pytest.fixture(scope="module")
def opened(tmp_path_factory) -> Cache:
    return Cache.open(tmp_path_factory.mktemp("in") / "cache")


def tables(cache: Cache, capture: str) -> list[list[dict]]:
    """What a capture is, without its id and what it is called."""
    return [
        load.rows(cache, f"SELECT * EXCLUDE (capture) FROM {table} WHERE capture = $1 ORDER BY ALL", capture)
        for table in ("series", "units", "responses")
    ]


def hdf5(path: Path, arrays: dict[str, np.ndarray], cells: dict[str, list[np.ndarray]] | None = None) -> Path:
    """A .mat file of version 7.3: axes in their opposite order, classes as attributes, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array.T).attrs["MATLAB_class"] = np.bytes_("double")
        for name, some in (cells or {}).items():
            made = [file.create_dataset(f"#refs#/{name}{k}", data=one.T) for k, one in enumerate(some)]
            refs = file.create_dataset(name, (len(made), 1), dtype=h5py.ref_dtype)
            refs[:, 0] = [one.ref for one in made]
            refs.attrs["MATLAB_class"] = np.bytes_("cell")
    return path


def long(series: np.ndarray) -> pa.Table:
    prompt, unit, step = (axis.ravel() for axis in np.indices(series.shape))
    there = np.isfinite(series).ravel()
    columns = {"prompt": prompt, "unit_index": unit, "step": step, "value": series.ravel()}
    return pa.table({name: column[there] for name, column in columns.items()})


def write(kind: str, folder: Path) -> Path:
    path = folder / f"s.{kind}"
    if kind == "npy":
        np.save(path, SERIES)
    elif kind == "npz":
        np.savez_compressed(path, series=SERIES, other=np.zeros(3))
    elif kind == "parquet":
        pq.write_table(long(SERIES), path)
    elif kind in ("csv", "csv.gz"):
        pa.csv.write_csv(long(SERIES), folder / "s.csv")
        if kind == "csv.gz":
            path.write_bytes(gzip.compress((folder / "s.csv").read_bytes()))
    elif kind == "safetensors":
        save_file({"series": SERIES}, path)
    elif kind == "5.mat":
        savemat(path, {"x": SERIES.astype(float), "about": "words"})
    elif kind == "7.3.mat":
        hdf5(path, {"x": SERIES.astype(float)})
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "parquet", "csv", "csv.gz", "safetensors", "5.mat", "7.3.mat"])
def test_the_same_series_make_the_same_tables_in_every_kind_of_file(opened, kind, tmp_path):
    expected = tables(opened, import_series(opened, SERIES))
    found = import_file(opened, write(kind, tmp_path))
    assert tables(opened, found) == expected
    assert load.one(opened, "capture", found)["notes"] == []


def test_one_recording_is_one_prompt_or_segments_of_it(opened, tmp_path):
    np.save(tmp_path / "r.npy", RECORDING)
    whole = import_file(opened, tmp_path / "r.npy")
    np.testing.assert_array_equal(load.series(opened, whole)[0], RECORDING.astype("f"))
    cut = import_file(opened, tmp_path / "r.npy", choices=Choices(segment=40))
    np.testing.assert_array_equal(
        load.series(opened, cut), np.stack([RECORDING[:, k : k + 40] for k in (0, 40, 80)]).astype("f")
    )
    assert load.one(opened, "capture", cut)["notes"] == [
        "the last 10 of 130 steps of r fill no segment of 40 and are left out"
    ]
    with pytest.raises(UsageError, match="no response has 200 steps"):
        import_file(opened, tmp_path / "r.npy", choices=Choices(segment=200))


def test_tables_of_numbers_are_units_by_steps_or_turned_and_name_their_units(opened, tmp_path):
    names = ["V1", "V2", "V3", "V4", "MT"]
    plain, named, turned = (tmp_path / f"{name}.csv" for name in ("plain", "named", "turned"))
    np.savetxt(plain, RECORDING, delimiter=",")
    rows = [",".join([name, *map(str, row)]) for name, row in zip(names, RECORDING.tolist(), strict=True)]
    named.write_text("\n".join(["region," + ",".join(f"t{k}" for k in range(130)), *rows]))
    lines = [",".join([str(k), *map(str, row)]) for k, row in enumerate(RECORDING.T.tolist())]
    turned.write_text("\n".join(["," + ",".join(names), *lines]))
    of = [import_file(opened, plain), import_file(opened, named)]
    of.append(import_file(opened, turned, choices=Choices(transpose=True)))
    for capture in of:
        np.testing.assert_array_equal(load.series(opened, capture)[0], RECORDING.astype("f"))
    assert [load.naming(opened, capture).unit(4) for capture in of] == ["0.4", "MT", "MT"]
    assert "only counts rows" in load.one(opened, "capture", of[2])["notes"][0]
    (tmp_path / "counted.csv").write_text(",".join(map(str, range(130))) + "\n" + plain.read_text())
    counted = import_file(opened, tmp_path / "counted.csv")
    assert load.one(opened, "capture", counted)["notes"] == [
        "the first line of counted.csv only counts columns and is left out"
    ]
    np.testing.assert_array_equal(load.series(opened, counted)[0], RECORDING.astype("f"))
    (note,) = load.one(opened, "capture", import_file(opened, turned, name="wrong"))["notes"][1:2]
    assert "taken for 130 units of 5 steps" in note
    assert "--transpose" in note


@pytest.mark.parametrize("kind", ["npz", "5.mat", "7.3.mat", "safetensors", "files"])
def test_ragged_recordings_come_as_several_arrays_cells_or_files(opened, kind, tmp_path):
    ragged = [RECORDING[:, :40], RECORDING[:, 40:90], RECORDING[:, 90:]]
    names = {"one": ragged[0], "three": ragged[1], "two": ragged[2]}
    path: Path | list[Path] = tmp_path / f"s.{kind}"
    ids = list(names)
    if kind == "npz":
        np.savez(path, **names)
    elif kind == "safetensors":
        save_file({name: np.ascontiguousarray(one) for name, one in names.items()}, path)
    elif kind == "files":
        path = [tmp_path / f"{name}.npy" for name in names]
        for one, array in zip(path, ragged, strict=True):
            np.save(one, array)
    else:
        ids = ["runs{1}", "runs{2}", "runs{3}"]
        if kind == "5.mat":
            cell = np.empty((1, 3), object)
            cell[0, :] = ragged
            savemat(path, {"runs": cell})
        else:
            hdf5(path, {}, {"runs": ragged})
    if kind != "files":
        with pytest.raises(UsageError, match=r"holds .*\[5, 40\].*--array NAME .* --all"):
            import_file(opened, path)
        chosen = import_file(opened, path, choices=Choices(arrays=(ids[1],)))
        np.testing.assert_array_equal(load.series(opened, chosen)[0], ragged[1].astype("f"))
    found = import_file(opened, path, choices=ALL if kind != "files" else None)
    assert tables(opened, found) == tables(opened, import_series(opened, ragged))
    kept = load.rows(opened, "SELECT id, category FROM prompts WHERE capture = $1 ORDER BY prompt", found)
    assert [(row["id"], row["category"]) for row in kept] == [(one, "") for one in ids]
    command = load.recipe(opened, found)[0]["command"]
    assert ("--all" in command) == (kind != "files")


def test_several_files_of_prompts_become_categories(opened, tmp_path):
    np.save(tmp_path / "rest.npy", SERIES[:3])
    np.save(tmp_path / "task.npy", SERIES[4:])
    found = import_file(opened, [tmp_path / "rest.npy", tmp_path / "task.npy"], name="both")
    kept = load.rows(opened, "SELECT id, category FROM prompts WHERE capture = $1 ORDER BY prompt", found)
    assert [row["category"] for row in kept] == ["rest"] * 3 + ["task"] * 2
    assert [row["id"] for row in kept] == ["rest:0", "rest:1", "rest:2", "task:0", "task:1"]
    np.save(tmp_path / "fewer.npy", SERIES[:, :3])
    with pytest.raises(UsageError, match="unequal numbers of units"):
        import_file(opened, [tmp_path / "rest.npy", tmp_path / "fewer.npy"])


def test_bfloat16_is_read_to_its_last_bit(opened, tmp_path):
    import torch
    from safetensors.torch import save_file as save_torch

    coarse = torch.from_numpy(SERIES[0].copy()).to(torch.bfloat16)
    save_torch({"x": coarse}, tmp_path / "b.safetensors")
    found = import_file(opened, tmp_path / "b.safetensors")
    np.testing.assert_array_equal(load.series(opened, found)[0], coarse.float().numpy())


def test_what_a_file_says_it_unpacks_to_is_believed_before_memory_is_taken(opened, tmp_path):
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 1)))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as file, file.open("x.npy", "w") as out:
        np.lib.format.write_array_header_1_0(out, header | {"shape": (50, 100_000_000)})
        out.write(bytes(10_000))
    with pytest.raises(UsageError, match=r"unpacks 0\.0 MB to 40\.0 GB"):
        import_file(opened, tmp_path / "bomb.npz")
    with h5py.File(tmp_path / "bomb.mat", "w") as file:
        file.create_dataset("x", (50, 100_000_000), "f8", chunks=(50, 1000), compression="gzip")
    with pytest.raises(UsageError, match=r"unpacks 0\.0 MB to 40\.0 GB"):
        import_file(opened, tmp_path / "bomb.mat")


def test_pickles_and_pointers_to_other_files_are_refused(opened, tmp_path):
    np.savez(tmp_path / "o.npz", x=np.array([{}, {}], object))
    with pytest.raises(UsageError, match="cannot be read: Object arrays"):
        import_file(opened, tmp_path / "o.npz")
    np.save(tmp_path / "elsewhere.npy", SERIES)
    with h5py.File(tmp_path / "away.mat", "w") as file:
        raw = [(str(tmp_path / "elsewhere.npy"), 128, SERIES[0].nbytes)]
        file.create_dataset("x", SERIES[0].shape, "f4", external=raw)
        file["y"] = h5py.ExternalLink("other.h5", "x")
    with pytest.raises(UsageError, match="x points into other files"):
        import_file(opened, tmp_path / "away.mat")


def test_zeros_at_the_end_are_asked_about(opened, tmp_path):
    padded = np.nan_to_num(SERIES)
    np.save(tmp_path / "p.npy", padded)
    with pytest.raises(UsageError, match=r"3 ends with exact zeros in all units over 9 steps: is that a value\?"):
        import_file(opened, tmp_path / "p.npy")
    cut = import_file(opened, tmp_path / "p.npy", choices=Choices(zeros="missing"))
    assert tables(opened, cut) == tables(opened, import_series(opened, SERIES))
    kept = import_file(opened, tmp_path / "p.npy", choices=Choices(zeros="values"))
    np.testing.assert_array_equal(load.series(opened, kept), padded)
    assert load.one(opened, "capture", kept)["notes"] == [
        "responses end with exact zeros in all units, taken for values: 3 (9 steps)"
    ]


def test_units_of_zeros_and_constant_ones_are_told(opened):
    odd = SERIES.copy()
    odd[[1, 4], 2] = 0
    odd[:, 4] = np.arange(6)[:, None] + 1
    notes = load.one(opened, "capture", import_series(opened, odd))["notes"]
    assert notes == [
        "1 units are exactly 0 throughout prompts, as are failures written as 0: 0.2 in 2 of 6 prompts",
        "1 units never change within a prompt: 0.4",
    ]
    missing = load.series(opened, import_series(opened, odd, zeros="missing"))
    assert np.isnan(missing[[1, 4], 2]).all()
    np.testing.assert_array_equal(missing[:, [0, 1, 3, 4]], odd[:, [0, 1, 3, 4]])


def test_repeats_are_dropped_where_that_is_asked_for(opened):
    noise = 1e-5 * np.random.default_rng(0).normal(size=SERIES[1].shape)
    twice = [*SERIES[:3].astype(float), SERIES[0].astype(float), SERIES[1] + noise]
    with pytest.raises(UsageError, match="3 repeats 0 · keep one of each, or --repeats drop"):
        import_series(opened, twice)
    found = import_series(opened, twice, repeats="drop")
    np.testing.assert_array_equal(load.series(opened, found), SERIES[:3])
    assert len(load.one(opened, "capture", found)["notes"]) == 2
