"""Stores a small warehouse as this version writes it, so that later versions can show they bring it forward.

``python -m tests.warehouse.store`` is run once at every release, before the version moves; the file goes
into the repository and is never written again.
"""

from __future__ import annotations

import lzma
import tempfile
from pathlib import Path

from pipeline import __version__
from pipeline.warehouse.writer import DATABASE_NAME
from tests.warehouse.build import build

STORED = Path(__file__).parent / "stored"


def stored_versions() -> list[str]:
    """Versions of which a warehouse is stored."""
    return sorted(path.name.removesuffix(".duckdb.xz") for path in STORED.glob("*.duckdb.xz"))


def unpack(version: str, directory: Path) -> Path:
    """The stored warehouse of ``version`` as a working folder."""
    directory.mkdir(parents=True, exist_ok=True)
    packed = (STORED / f"{version}.duckdb.xz").read_bytes()
    (directory / DATABASE_NAME).write_bytes(lzma.decompress(packed))
    return directory


def store() -> Path:
    """Write the small warehouse of this version; an existing one is never replaced."""
    target = STORED / f"{__version__}.duckdb.xz"
    if target.exists():
        raise SystemExit(f"{target}: stored already; a released schema does not change")
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        target.write_bytes(lzma.compress((Path(folder) / DATABASE_NAME).read_bytes(), preset=9))
    return target


if __name__ == "__main__":
    print(f"stored {store()}")
