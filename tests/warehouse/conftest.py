"""One small warehouse for all tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.warehouse.reader import Snapshot, open_snapshot
from tests.warehouse.build import build


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a published warehouse; not to be written."""
    return build(tmp_path_factory.mktemp("small"))


@pytest.fixture
def snapshot(small: Path) -> Iterator[Snapshot]:
    """The published snapshot of ``small``."""
    with open_snapshot(small) as opened:
        yield opened
