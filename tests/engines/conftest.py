"""Markers of the engines' tests."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "spark: runs Spark on this machine (the extra `spark` and Java are needed)")
