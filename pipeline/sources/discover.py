"""From the paths of a run to the sources in them: files, folders, globs, archives, compressed files.

A *source* is one decompressed stream of bytes with a name (``bundle.tar.gz!nodes/a/0.log`` inside an
archive). Paths may be URLs (see ``objects``). Nothing is written to disk; links inside archives, devices and
FIFOs are never followed; sizes are capped. What cannot be read becomes a ``Refusal`` with a reason and the walk
goes on.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import MissingInputError
from pipeline.settings import Settings
from pipeline.sources.archives import Member, Refusal, open_members
from pipeline.sources.remote import Status, is_url, local_path

FileStatus = os.stat_result | Status


@dataclass(frozen=True)
class Source:
    """A named stream; it must be read before the walk moves on (archives are read once, in order).

    ``damage`` says, once the stream ended, why it ended early; empty for a whole one. ``plain`` sources are files
    as they lie on disk or in a store, so any part of them can be read at any time. ``file`` is the status of the file
    or object that holds exactly this source, packed or not; None for members of archives.
    """

    path: str
    stream: BinaryIO
    mtime: datetime | None
    size: int | None = None
    damage: list[str] = field(default_factory=list)
    plain: bool = False
    file: FileStatus | None = None


@dataclass(frozen=True)
class Known:
    """A file that need not be opened: its status is the one it had when it was read."""

    path: str
    file: FileStatus
    mtime: datetime | None


Recall = Callable[[str, FileStatus], bool]


def expand_paths(paths: Sequence[str]) -> list[Path]:
    """Files named by the arguments: files as they are, folders walked, globs expanded; sorted, no doubles.

    Raises:
        MissingInputError: a path does not exist, or nothing at all was found.
    """
    found: dict[str, Path] = {}
    for text in paths:
        for path in _expand(text):
            found.setdefault(os.path.realpath(path), path)
    if not found:
        raise MissingInputError(
            f"nothing to read in {', '.join(paths) or 'no path'}: give log files, folders, globs or bundles"
        )
    return sorted(found.values())


def _expand(text: str) -> Iterator[Path]:
    path = Path(text)
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith(".git"))
            yield from (Path(folder, name) for name in sorted(names))
    elif path.exists():
        yield path
    else:
        matches = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else []  # noqa: PTH207
        if not matches:
            raise MissingInputError(f"{text}: no such file, folder or match; check the path")
        for match in matches:
            yield from _expand(match)


def walk_sources(paths: Sequence[str], settings: Settings) -> Iterator[Source | Refusal]:
    """Every source below the paths, in a fixed order; archives are opened on the way.

    Raises:
        MissingInputError: see ``expand_paths``.
    """
    for item in walk_unless_known(paths, settings, lambda *_: False):
        if not isinstance(item, Known):
            yield item


def walk_unless_known(paths: Sequence[str], settings: Settings, recall: Recall) -> Iterator[Source | Refusal | Known]:
    """The same; a file that ``recall`` (asked with its path and status) knows is named and not opened.

    Raises:
        MissingInputError: see ``expand_paths``.
    """
    urls = [text for text in map(local_path, paths) if is_url(text)]
    folders = [text for text in map(local_path, paths) if not is_url(text)]
    if urls:
        from pipeline.sources import objects

        # all of them are looked up before the first is read: a wrong one is told at once
        stored, files = objects.expand_urls(urls), expand_paths(folders) if folders else []
        yield from _walk_files(files, settings, recall)
        yield from objects.walk_objects(stored, settings, recall)
    else:
        yield from _walk_files(expand_paths(folders), settings, recall)


def _walk_files(paths: Sequence[Path], settings: Settings, recall: Recall) -> Iterator[Source | Refusal | Known]:
    for path in paths:
        name = str(path)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                yield Refusal(name, "not a regular file", "devices, sockets and FIFOs are not read")
                continue
            mtime = datetime.fromtimestamp(status.st_mtime, UTC)
            if recall(name, status):
                yield Known(name, status, mtime)
                continue
            with path.open("rb") as stream:
                yield from sources_in(Member(name, stream, mtime, status.st_size), status, settings)
        except OSError as exc:
            yield Refusal(name, "unreadable file", exc.strerror or type(exc).__name__)


def sources_in(member: Member, status: FileStatus | None, settings: Settings) -> Iterator[Source | Refusal]:
    """The sources in a file or object of this status, which is a source itself when nothing must be unpacked."""
    for item in open_members(member, settings):
        if isinstance(item, Refusal):
            yield item
        else:
            alone = item.path == member.path
            plain = alone and item.size is not None
            yield Source(item.path, item.stream, item.mtime, item.size, item.damage, plain, status if alone else None)
