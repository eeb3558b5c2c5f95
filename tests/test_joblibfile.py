"""Model files that somebody swapped, manifest and all: nothing in them runs, and one line refuses them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import pickletools
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyPickler
from test_artefact import a_model, refusal, vouched

from classifiers import joblibfile
from classifiers.artefact import MODEL_FILE, bundled, save

# Instructions of pickles as text: protocol 4, so that joblib's reader takes them.
_START = b"\x80\x04"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(a_model(), tmp_path, "data", {})
    return tmp_path


class Trap:
    """What makes a folder when it is unpickled as usual."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._made = call, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._made


def dumped(content: object, **how: Any) -> bytes:
    """Return what joblib writes."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer, **how)
    return buffer.getvalue()


def named(module: str, name: str) -> bytes:
    """Return the instructions that look up a name."""
    return b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name)) + b"\x93"


def traps(sprung: Path) -> dict[str, bytes]:
    """Return files that make a folder, in all the ways that we know."""
    call = f"__import__('os').mkdir({str(sprung)!r})"
    inside = np.array([Trap(os.mkdir, str(sprung))], dtype=object)
    text = f"(S{str(sprung)!r}\n".encode()
    return {
        "os.mkdir": dumped(Trap(os.mkdir, str(sprung))),
        "os.system": dumped(Trap(os.system, f"mkdir {sprung}")),
        "builtins.eval": dumped(Trap(eval, call)),
        "builtins.exec": dumped({"terms": Trap(exec, call)}),
        "an array of objects": dumped(inside),
        "an array of objects inside": dumped({"terms": "pay", "steps": inside}),
        "a matrix": dumped({"steps": Trap(os.mkdir, str(sprung)), "m": np.zeros(2)}),
        "old instructions": b"cos\nmkdir\n" + text + b"tR.",
        "an instance": text + b"ios\nmkdir\n.",
        "an object": b"(cos\nmkdir\n" + text[1:] + b"o.",
        "an extended new object": _START + named("os", "mkdir") + text + b"t}\x92.",
        "by another name": _START + named("posix", "mkdir") + text + b"tR.",
        "a reader's own method": _START + named("joblib.numpy_pickle", "load") + text + b"tR.",
    }


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda raw: raw,
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda raw: lzma.compress(raw, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("trap", traps(Path("x")))
def test_no_file_has_anything_run(saved: Path, tmp_path: Path, trap: str, packed: str) -> None:
    sprung = tmp_path / "sprung"
    vouched(saved, PACKED[packed](traps(sprung)[trap]))
    assert refusal(saved).startswith(f"{saved / MODEL_FILE}: not a model that this version of Haven reads: ")
    assert not sprung.exists()


@pytest.mark.parametrize("trap", ["os.mkdir", "os.system", "builtins.eval", "an array of objects", "old instructions"])
def test_the_traps_would_show_it(tmp_path: Path, trap: str) -> None:
    sprung = tmp_path / "sprung"
    joblib.load(io.BytesIO(traps(sprung)[trap]))
    assert sprung.exists()


def array(state: dict[str, object], after: bytes = b"") -> bytes:
    """Return an array as joblib writes it, described at will, and then the bytes behind it."""

    buffer = io.BytesIO()
    made = NumpyArrayWrapper.__new__(NumpyArrayWrapper)
    made.__dict__.update(state)
    NumpyPickler(buffer).save(made)
    return _START + buffer.getvalue() + after


HONEST = {
    "subclass": np.ndarray,
    "shape": (2,),
    "order": "C",
    "dtype": np.dtype("f4"),
    "allow_mmap": False,
    "numpy_array_alignment_bytes": 16,
}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"dtype": np.dtype("O")}, id="objects"),
        pytest.param({"dtype": np.dtype("f8")}, id="other numbers"),
        pytest.param({"dtype": np.dtype([("a", "O"), ("b", "f4")])}, id="records"),
        pytest.param({"dtype": np.dtype("S9")}, id="bytes"),
        pytest.param({"dtype": "f4"}, id="a word for numbers"),
        pytest.param({"subclass": np.memmap}, id="a map of a file"),
        pytest.param({"subclass": np.matrix}, id="a matrix"),
        pytest.param({"shape": (1 << 40,)}, id="larger than any memory"),
        pytest.param({"shape": (1 << 40, 0)}, id="nothing of much"),
        pytest.param({"shape": (-2,)}, id="less than nothing"),
        pytest.param({"shape": (True,)}, id="no number"),
        pytest.param({"shape": [2]}, id="a list"),
        pytest.param({"order": "K"}, id="another order"),
        pytest.param({"numpy_array_alignment_bytes": 7}, id="other gaps"),
        pytest.param({"read": np.dtype}, id="a method in its place"),
        pytest.param({"read_array": np.ndarray}, id="another method in its place"),
        pytest.param({"__class__": np.ndarray}, id="another class"),
    ],
)
def test_an_array_is_read_only_as_a_model_has_it(saved: Path, changed: dict[str, object]) -> None:
    numbers = b"\x0f" + b"\xff" * 15 + struct.pack("<2f", 1.5, 2.5) + b"."
    assert joblibfile.read(zlib.compress(array(HONEST, numbers))).tolist() == [1.5, 2.5]
    vouched(saved, zlib.compress(array(HONEST | changed, numbers)))
    assert "not a model" in refusal(saved)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(named("numpy", "dtype") + b"X\x01\x00\x00\x00O\x89\x88\x87R.", id="objects as a kind of numbers"),
        pytest.param(named("numpy", "ndarray") + b"K\x05\x85R.", id="an array without numbers"),
        pytest.param(named("numpy", "ndarray") + b")\x81.", id="a new array"),
        pytest.param(named("numpy", "dtype") + b"}\x8c\x04kindK\x01sb.", id="a class that is changed"),
        pytest.param(named("joblib.numpy_pickle", "NumpyArrayWrapper") + b"}b.", id="the reader's class is changed"),
        pytest.param(named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")R.", id="the reader's class is called"),
        pytest.param(named("joblib.numpy_pickle", "_reconstruct") + b")R.", id="another function of the reader's"),
        pytest.param(named("numpy", "memmap") + b"\x8c\x05/dev/\x85R.", id="a file is mapped"),
        pytest.param(named("numpy", "load") + b"\x8c\x05/dev/\x85R.", id="a file is read"),
        pytest.param(named("builtins", "getattr") + b".", id="a name alone"),
        pytest.param(b"\x8c\x09os.system\n.", id="a word alone"),
        pytest.param(b"\x82\x01.", id="an extension"),
        pytest.param(b"Pid\n.", id="something kept elsewhere"),
        pytest.param(b"\x97.", id="a buffer from outside"),
        pytest.param(b"R.", id="nothing to call"),
        pytest.param(b"\x95" + b"\xff" * 8, id="a frame without end"),
        pytest.param(b"X\xff\xff\xff\x7fa.", id="a text without end"),
        pytest.param(b"N" * 10, id="no end"),
        pytest.param(b"e.", id="no beginning"),
    ],
)
def test_of_instructions_only_those_of_a_model_are_followed(saved: Path, raw: bytes) -> None:
    vouched(saved, zlib.compress(_START + raw))
    assert "not a model" in refusal(saved)


def test_a_small_file_that_grows_without_end_is_refused(saved: Path) -> None:
    packing = zlib.compressobj(9)
    zeros = bytes(1 << 24)
    chunks = (joblibfile.LARGEST >> 24) + 1
    raw = packing.compress(_START) + b"".join(packing.compress(zeros) for _ in range(chunks)) + packing.flush()
    assert len(raw) < 1 << 20
    vouched(saved, raw)
    assert "too large" in refusal(saved)


@pytest.mark.parametrize(
    ("nested", "end"),
    [
        pytest.param(b"(" + b"h\x00" * 9 + b"t\x94", b"", id="tuples"),
        pytest.param(b"(" + b"h\x00" * 9 + b"t\x94", b"}(h\x1dK\x01u", id="tuples as keys"),
        pytest.param(b"(" + b"h\x00" * 9 + b"t\x94", named("numpy", "dtype") + b"h\x1d\x89\x88\x87R", id="in a call"),
    ],
)
def test_what_holds_itself_many_times_takes_no_time(saved: Path, nested: bytes, end: bytes) -> None:
    # Each level holds the one before nine times: thirty levels hold more than there are atoms in a gram.
    levels = b"".join(nested.replace(b"h\x00", bytes([0x68, level])) for level in range(29))
    vouched(saved, zlib.compress(_START + b")\x94" + levels + end + b"."))
    begun = time.process_time()
    assert "not a model" in refusal(saved)
    assert time.process_time() - begun < 5


def test_lists_within_lists_in_place_of_numbers_take_no_time(saved: Path) -> None:
    deep: object = [0.0]
    for _ in range(25):
        deep = [deep] * 9
    model = joblibfile.read((saved / MODEL_FILE).read_bytes())
    vouched(saved, dumped(model | {"sizes": deep}, compress=("zlib", 9)))
    assert "not a model" in refusal(saved)


def test_the_model_that_comes_with_haven_needs_no_more_than_is_allowed() -> None:
    raw = zlib.decompress((bundled() / MODEL_FILE).read_bytes())
    head = raw[: raw.index(b"\x8c\x05steps")]
    assert {op.name for op, _, _ in pickletools.genops(head + b".")} <= {
        *("PROTO", "FRAME", "EMPTY_DICT", "MEMOIZE", "MARK", "SHORT_BINUNICODE", "BINUNICODE", "STOP"),
    }
    assert joblibfile.read((bundled() / MODEL_FILE).read_bytes()).keys() == {
        *("terms", "steps", "sizes", "biases", "hidden", "verdicts"),
    }
    assert pickle.DEFAULT_PROTOCOL <= 5
