"""Files, archives and compression: what is inside, what is refused, and the caps."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from pipeline.errors import MissingInputError
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Source, walk_sources

TEXT = b"bird: Started\n" * 3


def walk(path: Path | str, settings: Settings | None = None) -> tuple[dict[str, bytes], list[Refusal]]:
    read: dict[str, bytes] = {}
    refused: list[Refusal] = []
    for item in walk_sources([str(path)], settings or Settings()):
        if isinstance(item, Source):
            read[item.path.rpartition("/")[2]] = item.stream.read()
        else:
            refused.append(item)
    return read, refused


def read_one(path: Path, settings: Settings | None = None) -> tuple[bytes, list[str]]:
    """Content and damage of the only source; it must be read while the walk stands at it."""
    (found,) = [
        (item.stream.read(), item.damage)
        for item in walk_sources([str(path)], settings or Settings())
        if isinstance(item, Source)
    ]
    return found


def tar_of(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT[:14]) + gzip.compress(TEXT[14:]),
        zstandard.compress(TEXT),
        lzma.compress(TEXT),
        bz2.compress(TEXT),
    ],
    ids=["plain", "gzip", "two gzips", "zstd", "xz", "bzip2"],
)
def test_compression_is_told_by_content(tmp_path: Path, packed: bytes) -> None:
    (tmp_path / "any.name").write_bytes(packed)
    assert walk(tmp_path) == ({"any.name": TEXT}, [])


def test_archives_inside_archives(tmp_path: Path) -> None:
    inner = tar_of({"a.log": TEXT, "b.log.gz": gzip.compress(TEXT)})
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as packed:
        packed.writestr("node.tar.gz", inner)
        packed.writestr("c.log", TEXT)
    (tmp_path / "bundle").write_bytes(outer.getvalue())
    read, refused = walk(tmp_path)
    assert read == {
        "bundle!node.tar.gz!a.log": TEXT,
        "bundle!node.tar.gz!b.log.gz": TEXT,
        "bundle!c.log": TEXT,
    }
    assert refused == []


def test_too_deep_too_many_and_too_large_are_refused(tmp_path: Path) -> None:
    deep = tar_of({"x.tar": tar_of({"y.tar": tar_of({"z.log": TEXT})})})
    (tmp_path / "deep.tar").write_bytes(deep)
    assert [refusal.reason for refusal in walk(tmp_path / "deep.tar")[1]] == ["archive too deep"]
    (tmp_path / "many.tar").write_bytes(tar_of({f"{n}.log": TEXT for n in range(5)}))
    read, refused = walk(tmp_path / "many.tar", Settings(archive_members=3))
    assert (len(read), [refusal.reason for refusal in refused]) == (3, ["archive too large"])
    (tmp_path / "large.tar").write_bytes(tar_of({"a.log": TEXT * 100, "b.log": TEXT}))
    read, refused = walk(tmp_path / "large.tar", Settings(member_bytes=100))
    assert (list(read), [refusal.reason for refusal in refused]) == (
        ["large.tar!b.log"],
        ["member too large"],
    )


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\n" * 10_000_000))
    data, damage = read_one(tmp_path, Settings(archive_free_bytes=100_000, archive_ratio=10))
    assert len(data) <= 1_000_000
    assert "grows past" in damage[0]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lzma.compress, bz2.compress])
def test_a_truncated_stream_gives_what_stands_before_the_cut(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    text = b"".join(f"bird: Node_10_0_0_{n % 250}: {os.urandom(8).hex()}\n".encode() for n in range(60_000))
    (tmp_path / "cut").write_bytes(pack(text)[:-5000])
    data, damage = read_one(tmp_path)
    assert text.startswith(data)
    assert len(data) > len(text) // 3
    assert damage


def test_links_devices_and_fifos_are_not_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("link.log")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    (tmp_path / "links.tar").write_bytes(buffer.getvalue())
    read, refused = walk(tmp_path)
    assert read == {}
    assert [refusal.reason for refusal in refused] == ["not a regular file", "not a regular file"]


def test_a_truncated_tar_gives_what_stands_before_the_end(tmp_path: Path) -> None:
    whole = tar_of({"a.log": TEXT, "b.log": os.urandom(50_000)}, "w")
    (tmp_path / "cut.tar").write_bytes(whole[:20_000])
    read, refused = walk(tmp_path)
    assert read["cut.tar!a.log"] == TEXT
    assert 18_000 < len(read["cut.tar!b.log"]) < 20_000
    assert "damaged archive" in [refusal.reason for refusal in refused]


def test_a_path_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no-such-file"):
        walk(tmp_path / "no-such-file")
    with pytest.raises(MissingInputError, match="nothing to read"):
        walk(tmp_path)


def test_globs_and_doubles(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "c.txt"):
        (tmp_path / name).write_bytes(TEXT)
    paths = [str(tmp_path / "*.log"), str(tmp_path / "a.log")]
    assert [item.path.rpartition("/")[2] for item in walk_sources(paths, Settings())] == ["a.log", "b.log"]
