"""Input that lies behind a URL: object stores and shared file systems, through fsspec (extra ``remote``).

Credentials are those of the usual chain (environment, profile, role of the instance), which the packages behind
fsspec follow; a URL that holds one is refused before anything is done with it. Nothing here is imported or asked
while all paths are local.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import unquote

from pipeline.errors import DependencyError, UsageError
from pipeline.redact import MARK, redact

T = TypeVar("T")
# Requests grow to this while a stream is read on: large enough that their number does not matter.
BLOCK_BYTES = 16 << 20
UNFETCHED = "could not be fetched"
_FIRST_BYTES = 1 << 20
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]+(?:::[A-Za-z][A-Za-z0-9+.\-]+)*://")
_PORT = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^:]*)(?::\d*)?")
_SIGNED = re.compile(r"(?i)[?&][^=&]*(?:sig|token|secret|key|credential|passw|auth)[^=&]*=")
_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs",
    "http": "aiohttp", "https": "aiohttp", "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol",
    "oss": "ossfs", "webhdfs": "requests", "hdfs": "pyarrow (and a Hadoop client)",
}  # fmt: skip
# What stores call the version of an object, and the time of its last change.
_VERSIONS = ("ETag", "etag", "generation", "VersionId", "version_id", "md5Hash", "Content-MD5", "uid")
_TIMES = ("LastModified", "last_modified", "Last-Modified", "mtime", "updated", "modified", "created")


class FetchError(OSError):
    """Bytes behind a URL could not be had, or are not those that were asked for."""


@dataclass(frozen=True)
class Status:
    """What a store says of an object, in the words of ``os.stat_result``; the inode stands for its version."""

    st_size: int
    st_mtime_ns: int
    st_ino: int
    st_dev: int = 0


def is_url(path: str) -> bool:
    """Whether a path is a URL; ``C:/x`` is none."""
    return _URL.match(path) is not None


def local_path(text: str) -> str:
    """The path that a ``file://`` URL means; any other text as it is.

    Raises:
        UsageError: a file of another host.
    """
    if not text.lower().startswith("file://"):
        return text
    host, slash, path = text[len("file://") :].partition("/")
    if host not in ("", "localhost"):
        raise UsageError(f"{text}: names a file of the host {host!r}; write file:///folder/file")
    return unquote(slash + path)


def checked(url: str) -> str:
    """The URL, when it holds no credential.

    Raises:
        UsageError: it holds one, or is a chain of URLs; the message does not repeat it.
    """
    scheme, _, rest = url.partition("://")
    place = rest.partition("/")[0]
    user, at, host = place.rpartition("@")
    # a password may hold a slash, so what stands before the first one is looked at as well
    held = (at and ":" in user) or not (_PORT.fullmatch(host) or place.startswith("arn:"))
    if held or redact(place) != place:
        raise UsageError(
            f"{scheme}://{MARK}: the URL holds a password; take it out and give credentials through the environment, "
            "a profile or the role of the instance"
        )
    if scheme.lower() in ("http", "https") and _SIGNED.search(url):
        raise UsageError(f"{url.partition('?')[0]}?{MARK}: a signed URL is a credential; it is not taken")
    if "::" in scheme:
        raise UsageError(f"{url}: URLs inside each other are not taken; archives are opened by themselves")
    return url


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and what it calls the object.

    Raises:
        DependencyError: a package is missing; the message says which.
        UsageError: see ``checked``, or nobody knows the protocol.
    """
    scheme = checked(url).partition("://")[0].lower()
    try:
        import fsspec
    except ImportError as exc:
        raise DependencyError(f"{scheme}:// needs fsspec: pip install 'peerscope[remote]'") from exc
    try:
        kind = fsspec.get_filesystem_class(scheme)
        system = fsspec.filesystem(scheme, **kind._get_kwargs_from_urls(url))
    except ImportError as exc:
        package = _PACKAGES.get(scheme)
        how = f"pip install {package}" if package else redact(str(exc))
        raise DependencyError(f"{scheme}:// needs another package: {how}") from exc
    except ValueError as exc:
        raise UsageError(f"{url}: {redact(str(exc))}") from exc
    return system, str(kind._strip_protocol(url))


def status_of(info: dict[str, Any]) -> Status | None:
    """The status of an object from what its store tells; None when that cannot show a change."""
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    changed = moment_of(info)
    if info.get("size") is None or not (version or changed):
        return None
    inode = int.from_bytes(blake2b(version.encode(), digest_size=8).digest(), "big") if version else 0
    # listings tell fractions of a second that a single object's answer does not
    nanoseconds = int(changed.timestamp()) * 10**9 if changed else 0
    return Status(int(info["size"]), nanoseconds, inode)


def moment_of(info: dict[str, Any]) -> datetime | None:
    """When an object was changed last."""
    told = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(told, str):
        parse = parsedate_to_datetime if told[:1].isalpha() else datetime.fromisoformat
        try:
            told = parse(told)
        except ValueError:
            return None
    if isinstance(told, int | float):
        return datetime.fromtimestamp(told).astimezone()
    return told.astimezone() if isinstance(told, datetime) else None


def status_now(url: str) -> Status | None:
    """The status of an object as its store tells it now.

    Raises:
        FetchError: it cannot be asked.
    """
    system, name = file_system(url)
    return fetched(lambda: _status_now(system, name))


def _status_now(system: Any, name: str) -> Status | None:
    system.invalidate_cache()  # listings are held, and would tell what was
    return status_of(system.info(name))


def fetched(ask: Callable[[], T]) -> T:
    """What ``ask`` gives; whatever a store or its package raises becomes a ``FetchError`` without secrets.

    Raises:
        FetchError: it failed.
    """
    try:
        return ask()
    except FetchError:
        raise
    except Exception as exc:  # every package has errors of its own
        said = redact(str(exc)).strip() or "no reason given"
        raise FetchError(f"{type(exc).__name__}: {said}"[:500]) from exc


class ObjectReader(io.RawIOBase):
    """An object as a file: read in blocks, each by one ranged request.

    ``status`` is the one that it had when it was listed: an object that was replaced meanwhile is not read on.
    A failure is raised, or, with ``damage``, noted there; the stream then ends.
    """

    def __init__(self, url: str, size: int, status: Status | None, damage: list[str] | None = None) -> None:
        self._url, self._size, self._status, self._damage = url, size, status, damage
        self._system, self._name = file_system(url)
        self._at = self._begin = 0
        self._block = b""
        self._next = _FIRST_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._size - self._at)
        if wanted <= 0 or self._damage:
            return 0
        if not self._begin <= self._at < self._begin + len(self._block):
            try:
                self._fetch(wanted)
            except FetchError as exc:
                if self._damage is None:
                    raise
                self._damage.append(f"{UNFETCHED}: {exc}")
                return 0
        data = memoryview(self._block)[self._at - self._begin :][:wanted]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _fetch(self, wanted: int) -> None:
        begin = self._at
        end = min(begin + max(wanted, self._next), self._size)
        self._next = min(self._next * 4, BLOCK_BYTES)
        self._block = b""
        data = fetched(lambda: self._system.cat_file(self._name, start=begin, end=end))
        if len(data) != end - begin:
            raise FetchError(f"{len(data)} bytes came for the {end - begin} from {begin} on")
        if self._status is not None and status_now(self._url) != self._status:
            raise FetchError("changed while it was read; the next run reads what is there")
        self._block, self._begin = data, begin


def open_input(path: str, size: int | None = None) -> BinaryIO:
    """A file or an object, to be read from any place; ``size`` is that of the object when it is known.

    Raises:
        OSError: it cannot be opened.
    """
    if not is_url(path):
        return Path(path).open("rb")
    if size is None:
        system, name = file_system(path)
        size = int(fetched(lambda: system.info(name))["size"])
    return cast(BinaryIO, io.BufferedReader(ObjectReader(path, size, None), _FIRST_BYTES))


def is_unfetched(damage: Iterable[str]) -> bool:
    """Whether a stream ended because its store did not give the rest, rather than because it is damaged."""
    return any(text.startswith(UNFETCHED) for text in damage)
