"""Free memory is given back, where the C library can."""

from __future__ import annotations

import ctypes

import pytest

from pipeline.native import heap


def test_a_library_that_cannot_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    heap.give_back()
    heap._trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    heap.give_back()
    heap._trim.cache_clear()
