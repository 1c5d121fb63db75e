"""The compiled part: whether it is there, and how arrays are given to it."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipeline.errors import DependencyError

PATH = Path(__file__).with_name("_scan.so")
_VERSION = 3  # of what scan.c and the modules around it agree on
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_FUNCTIONS = {  # what they return, and what they are given
    "peerscope_lines": (_NUMBER, _POINTER, _NUMBER, _POINTER, _POINTER, _NUMBER, _POINTER),
    "peerscope_scan": (None, _POINTER, _NUMBER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER),
    "peerscope_bodies": (None, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER),
    "peerscope_count": (_NUMBER, _POINTER, _NUMBER, _POINTER, _POINTER, _NUMBER, _POINTER),
}


def available() -> bool:
    """Whether the compiled part is there, and of this version."""
    return _load() is not None


def library() -> ctypes.CDLL:
    """The compiled functions; DependencyError when they are not there."""
    found = _load()
    if found is None:
        raise DependencyError(f"{PATH} is missing or old: install peerscope again where there is a C compiler")
    return found


@lru_cache(maxsize=1)
def _load() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(PATH))
        if ctypes.c_int32.in_dll(found, "peerscope_scan_version").value != _VERSION:
            return None
    except (OSError, ValueError):
        return None
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, result
    return found


def place(array: np.ndarray) -> int:
    """Where the elements of a contiguous array stand."""
    assert array.flags.c_contiguous
    return int(array.ctypes.data)


def structure(*fields: np.ndarray | int) -> ctypes.Array[ctypes.c_int64]:
    """A C structure of numbers and of pointers to arrays, which the caller must hold."""
    return (_NUMBER * len(fields))(*(field if isinstance(field, int) else place(field) for field in fields))
