"""Fixtures: transcripts written for these tests."""

from __future__ import annotations

from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = sorted(path.name for path in FIXTURES.glob("*.txt"))


def transcript(name: str) -> bytes:
    """Bytes of a fixture."""
    return (FIXTURES / name).read_bytes()


def physical_lines(data: bytes) -> int:
    """Lines of a file; the last one counts without a line end, too."""
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
