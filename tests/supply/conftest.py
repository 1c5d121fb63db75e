"""The mark of tests that take a minute."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes a minute; `-m 'not slow'` leaves it out")
