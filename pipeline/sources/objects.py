"""From URLs to the sources behind them, by the rules that hold for files.

Objects up to the size of a work item are fetched whole, several at a time and ahead of their turn: each costs a
round trip. Larger ones are streams, read block by block; those who parse read the ranges of plain ones themselves.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, cast

from pipeline.errors import InputError, MissingInputError
from pipeline.settings import Settings
from pipeline.sources.archives import READ_ERRORS, Member, Refusal
from pipeline.sources.discover import Known, Recall, Source, sources_in
from pipeline.sources.remote import (
    FetchError,
    ObjectReader,
    Status,
    fetched,
    file_system,
    moment_of,
    status_of,
)

# Small objects on the way at the same time; their bytes together are at most those of this many work items.
TOGETHER = 8
ITEMS_AHEAD = 2
_MAGIC = frozenset("*?[")


@dataclass(frozen=True)
class Object:
    """An object that is to be read; ``size`` None: its store does not tell."""

    url: str
    name: str
    system: Any
    size: int | None
    status: Status | None
    moment: datetime | None


def expand_urls(urls: Sequence[str]) -> list[Object]:
    """Objects named by URLs: as they are, all below a prefix, or those that match a glob; sorted, no doubles.

    Raises:
        MissingInputError: nothing is there.
        InputError: the store cannot be asked.
        DependencyError, UsageError: see ``file_system``.
    """
    found: dict[str, Object] = {}
    for url in urls:
        system, name = file_system(url)
        system.invalidate_cache()  # what an earlier run of this process has listed
        try:
            infos = fetched(partial(_infos, system, name, url))
        except FetchError as exc:
            if isinstance(exc.__cause__, FileNotFoundError):
                infos = {}
            else:
                raise InputError(
                    f"{url}: cannot be listed: {exc}; credentials come from the environment, a profile or the role of "
                    "the instance"
                ) from exc
        if not infos:
            raise MissingInputError(f"{url}: no such object, prefix or match; check the URL")
        for key, info in infos.items():
            place = _url(url, name, key)
            size = info.get("size")
            found.setdefault(
                place,
                Object(place, key, system, None if size is None else int(size), status_of(info), moment_of(info)),
            )
    return [found[url] for url in sorted(found)]


def _infos(system: Any, name: str, url: str) -> dict[str, dict[str, Any]]:
    try:
        info = system.info(name)
    except FileNotFoundError:
        if not _MAGIC & set(name) or _is_web(url):
            raise
        matches = system.glob(name, detail=True)
        return {key: one for match, info in matches.items() for key, one in _below(system, match, info).items()}
    return {name: info} if _is_web(url) else _below(system, name, info)


def _below(system: Any, name: str, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if info["type"] != "directory":
        return {name: info}
    listed = system.find(name, detail=True).items()
    return {
        key: one
        for key, one in listed
        # stores keep empty objects as marks of folders
        if one["type"] == "file" and not key.endswith("/") and "/.git" not in key[len(name) :]
    }


def _is_web(url: str) -> bool:
    """A page is no folder, and the links on it may be anything."""
    return url.lower().startswith(("http:", "https:"))


def _url(given: str, name: str, key: str) -> str:
    """The URL of an object that was found for a URL: what stands there says which account and host it is."""
    plain = next((at for at, char in enumerate(name) if char in _MAGIC), len(name))
    common = 0
    while common < min(plain, len(key)) and name[common] == key[common]:
        common += 1
    rest = name[common:]
    head = given.rstrip("/")
    head = head[: len(head) - len(rest)] if rest and head.endswith(rest) else head
    if head.endswith(":"):
        head += "//"
    return head + key[common:]


def walk_objects(objects: Sequence[Object], settings: Settings, recall: Recall) -> Iterator[Source | Refusal | Known]:
    """The sources in the objects, in order; one that ``recall`` knows is named and not fetched."""
    with ThreadPoolExecutor(TOGETHER, thread_name_prefix="peerscope-fetch") as fetchers:
        for thing, known, whole in _ahead(objects, settings, recall, fetchers):
            if known and thing.status is not None:
                yield Known(thing.url, thing.status, thing.moment)
                continue
            if thing.size is None:
                yield Refusal(thing.url, "unreadable file", "the store does not tell its size")
                continue
            try:
                stream, size, damage = _stream(thing, thing.size, whole)
                yield from sources_in(Member(thing.url, stream, thing.moment, size, damage), thing.status, settings)
            except READ_ERRORS as exc:
                yield Refusal(thing.url, "unreadable file", str(exc) or type(exc).__name__)


def _stream(thing: Object, size: int, whole: Future[bytes] | None) -> tuple[BinaryIO, int, list[str]]:
    if whole is not None:
        data = whole.result()
        return cast(BinaryIO, io.BufferedReader(cast(Any, io.BytesIO(data)))), len(data), []
    damage: list[str] = []
    return cast(BinaryIO, io.BufferedReader(ObjectReader(thing.url, size, thing.status, damage))), size, damage


def _ahead(
    objects: Sequence[Object], settings: Settings, recall: Recall, fetchers: ThreadPoolExecutor
) -> Iterator[tuple[Object, bool, Future[bytes] | None]]:
    """Each object, whether it is known, and its bytes when it is small, with the next ones on their way."""
    waiting: deque[tuple[Object, bool, Future[bytes] | None]] = deque()
    on_the_way = 0
    for thing in objects:
        known = thing.status is not None and recall(thing.url, thing.status)
        small = not known and thing.size is not None and thing.size <= settings.item_bytes
        waiting.append((thing, known, fetchers.submit(_whole, thing) if small else None))
        on_the_way += (thing.size or 0) if small else 0
        while len(waiting) > TOGETHER or on_the_way > ITEMS_AHEAD * settings.item_bytes:
            first = waiting.popleft()
            on_the_way -= (first[0].size or 0) if first[2] else 0
            yield first
    while waiting:
        yield waiting.popleft()


def _whole(thing: Object) -> bytes:
    return bytes(fetched(lambda: thing.system.cat_file(thing.name)))
