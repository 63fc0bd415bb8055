"""The quick reader of GGUF files says what the gguf library says."""

from __future__ import annotations

import contextlib
import struct

import gguf
import numpy as np
import pytest
from gguf_files import saved, written

from synergy_tui.errors import SubjectError
from synergy_tui.subject import gguf_quick
from synergy_tui.subject.loading import from_gguf

KINDS = ("llama", "qwen2", "gemma3_text", "gpt2", "qwen3_moe")


@pytest.fixture(autouse=True, scope="module")
def _alone(one_thread):
    """These models are small."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gguf")
    return {kind: written(saved(folder / kind, kind), folder / f"{kind}.gguf") for kind in KINDS}


def more(writer: gguf.GGUFWriter) -> None:
    writer.add_array("tiny.texts", ["", "é", "a" * 300])
    writer.add_array("tiny.numbers", [1, 2, 3])
    writer.add_float32("tiny.one", 0.5)
    writer.add_bool("tiny.yes", True)


def same_arrays(one, two) -> bool:
    pairs = list(zip(one, two, strict=True))
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("order", list(gguf.GGUFEndian))
def test_all_fields_and_tensors_are_the_library_s(order, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama", endianess=order)
    more(writer)
    writer.add_tensor("half", np.arange(64, dtype=np.float16).reshape(2, 32))
    packed = gguf.quantize(np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64), gguf.GGMLQuantizationType.Q4_1)
    writer.add_tensor("packed", packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    theirs, ours = gguf.GGUFReader(tmp_path / "x.gguf"), gguf_quick.Reader(tmp_path / "x.gguf")
    assert list(theirs.fields) == list(ours.fields)
    for name, one in theirs.fields.items():
        other = ours.fields[name]
        assert (one.offset, one.data, one.types) == (other.offset, other.data, other.types), name
        assert same_arrays(one.parts, other.parts), name
        assert one.contents() == other.contents()
    assert [one.name for one in theirs.tensors] == [one.name for one in ours.tensors]
    for one, other in zip(theirs.tensors, ours.tensors, strict=True):
        assert one.tensor_type == other.tensor_type
        assert same_arrays([one.data], [other.data])


@pytest.mark.parametrize("kind", KINDS)
def test_no_weight_and_no_token_is_another(kind, files, monkeypatch):
    model, tokenizer = from_gguf(files[kind])
    monkeypatch.setattr(gguf_quick, "quick", contextlib.nullcontext)
    plain, other = from_gguf(files[kind])
    assert model.config.to_dict() == plain.config.to_dict()
    held, known = model.state_dict(), plain.state_dict()
    assert list(held) == list(known)
    assert all(held[name].equal(known[name]) for name in held)
    assert tokenizer.backend_tokenizer.to_str() == other.backend_tokenizer.to_str()
    assert tokenizer.special_tokens_map == other.special_tokens_map


def test_the_library_is_as_it_was_afterwards_and_a_file_is_read_once(files, tmp_path):
    before = gguf.GGUFReader, gguf.get_tensor_name_map
    path = tmp_path / "changes.gguf"
    path.write_bytes(files["llama"].read_bytes())
    with gguf_quick.quick():
        assert gguf.GGUFReader(path) is gguf.GGUFReader(str(path))
        with gguf_quick.quick():  # as in another thread
            pass
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == before
    with pytest.raises(ZeroDivisionError), gguf_quick.quick():
        raise ZeroDivisionError
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == before
    path.write_bytes(files["qwen2"].read_bytes())
    with gguf_quick.quick():
        assert gguf.GGUFReader(path).fields["general.architecture"].contents() == "qwen2"


def test_a_string_longer_than_the_file_is_told(files, tmp_path):
    content = bytearray(files["llama"].read_bytes())
    place = content.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens") + 16
    content[place : place + 8] = struct.pack("<Q", 1 << 40)
    path = tmp_path / "long.gguf"
    path.write_bytes(content)
    with pytest.raises(SubjectError, match="no whole GGUF file"):
        from_gguf(path)
    with pytest.raises((ValueError, struct.error, IndexError)):
        gguf_quick.Reader(path)
