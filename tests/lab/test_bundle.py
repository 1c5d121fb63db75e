"""Archives do not depend on when or in which order they are made."""

from pathlib import Path

from sample_logs.lab.bundle import archive, read


def test_same_content_same_bytes() -> None:
    first = archive({"b": b"2", "a/c": b"1"}, 1_795_418_376.9)
    assert first == archive({"a/c": b"1", "b": b"2"}, 1_795_418_376.1)
    assert first[4:8] == b"\0\0\0\0", "the gzip header carries no time"


def test_reading_gives_back_what_was_packed(tmp_path: Path) -> None:
    files = {"b": b"2", "a/c": b"1"}
    path = tmp_path / "x.tar.gz"
    path.write_bytes(archive(files, 0))
    assert read(path) == files
