"""joblib's own reader, restricted to what a model file is made of, so that no file can have code run.

A joblib file is a pickle: a list of instructions that may name any function and call it. This reader knows only the
instructions for plain values, looks up three names and calls none of them with anything but what `joblib.dump` writes.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import zlib
from typing import Any, NoReturn

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

LARGEST = 1 << 28  # bytes; many times what a model takes
_NAMES: dict[tuple[str, str], Any] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): NumpyArrayWrapper,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
# What kinds of numbers there are: as they are written, and what follows about the order of their bytes.
_NUMBERS = {("i1", False, True): np.dtype("i1"), ("f4", False, True): np.dtype("<f4")}
_ORDERS = {
    np.dtype("i1"): (3, "|", None, None, None, -1, -1, 0),
    np.dtype("<f4"): (3, "<", None, None, None, -1, -1, 0),
}
_ARRAY = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
_PLAIN = (
    *(pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.MEMOIZE, pickle.BINGET, pickle.LONG_BINGET),
    *(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1),
    *(pickle.BINFLOAT, pickle.SHORT_BINUNICODE, pickle.BINUNICODE, pickle.STACK_GLOBAL),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT),
)


def read(raw: bytes) -> Any:
    """Return what a zlib-compressed joblib file holds; ValueError for one that is not made as model files are."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(raw, LARGEST)
        if not unpacking.eof or unpacking.unused_data:
            raise ValueError("it is cut, goes on after its end, or is too large")
        return _Reader("", io.BytesIO(content), ensure_native_byte_order=True).load()
    except (
        *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, TypeError),
        *(pickle.UnpicklingError, struct.error, zlib.error),
    ) as error:
        raise ValueError(str(error) or type(error).__name__) from None


class _Instructions(dict[int, Any]):
    """What each instruction does."""

    def __missing__(self, code: int) -> NoReturn:
        raise pickle.UnpicklingError(f"instruction {code:#04x} stands in no model file")


class _Reader(NumpyUnpickler):  # type: ignore[misc]
    """Reads plain values and arrays of known numbers."""

    dispatch = _Instructions({code[0]: NumpyUnpickler.dispatch[code[0]] for code in _PLAIN})

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the names that a model file has."""
        try:
            return _NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {ascii(f'{module}.{name}')[:80]}, which is not loaded") from None

    def load_reduce(self) -> None:
        """Return a kind of numbers: all that a model file calls for."""
        made, arguments = self._two()
        plain = made is np.dtype and type(arguments) is tuple and [*map(type, arguments)] == [str, bool, bool]
        if not plain or arguments not in _NUMBERS:
            raise pickle.UnpicklingError("it calls what no model file calls")
        self.stack[-2:] = [_NUMBERS[arguments]]

    def load_newobj(self) -> None:
        """Return an array that is still to be described."""
        made, arguments = self._two()
        if made is not NumpyArrayWrapper or arguments != ():
            raise pickle.UnpicklingError("it makes what no model file has")
        self.stack[-2:] = [NumpyArrayWrapper.__new__(NumpyArrayWrapper)]

    def load_build(self) -> None:
        """Read an array as it is described."""
        made, state = self._two()
        if isinstance(made, np.dtype) and state == _ORDERS[made]:
            self.stack.pop()
        elif type(made) is NumpyArrayWrapper and _is_array(state):
            super().load_build()
        else:
            raise pickle.UnpicklingError("it changes what no model file changes")

    def load_setitems(self) -> None:
        """Fill what has words as keys; of other keys, a small file can hold some that take for ever to look up."""
        if any(type(key) is not str for key in self.stack[::2]):
            raise pickle.UnpicklingError("it has keys that are no words")
        super().load_setitems()

    def _two(self) -> tuple[Any, Any]:
        if len(self.stack) < 2:
            raise pickle.UnpicklingError("it ends early")
        return self.stack[-2], self.stack[-1]

    dispatch |= {
        pickle.REDUCE[0]: load_reduce,
        pickle.NEWOBJ[0]: load_newobj,
        pickle.BUILD[0]: load_build,
        pickle.SETITEMS[0]: load_setitems,
    }


def _is_array(state: object) -> bool:
    """Return whether this describes an array of known numbers that is not too large."""
    return (
        type(state) is dict
        and state.keys() == _ARRAY
        and state["subclass"] is np.ndarray
        and type(state["shape"]) is tuple
        and all(type(size) is int and size >= 0 for size in state["shape"])
        and isinstance(state["dtype"], np.dtype)
        and math.prod(state["shape"]) * state["dtype"].itemsize <= LARGEST
        and type(state["order"]) is str
        and state["order"] in ("C", "F")
        and state["numpy_array_alignment_bytes"] in (None, 16)
    )
