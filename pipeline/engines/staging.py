"""The folder that the driver and the executors of Spark share: items go in, facts come out.

It lies on a file system that all of them see under one path, or in an object store. Facts of an item appear whole or
not at all: a folder is renamed into place; a store knows no renaming, so there the list of the frames is written last.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import polars as pl

from pipeline.engines.parts import Parsed
from pipeline.errors import UsageError
from pipeline.sources.identify import Identity
from pipeline.sources.remote import fetched, file_system, is_url, local_path

_TOLD = "identities.json"


class Staging(Protocol):
    """A folder of one load; ``place`` is what executors find it by."""

    place: str

    def put(self, name: str, data: bytes) -> None:
        """Lay something down."""

    def get(self, name: str) -> bytes:
        """What was laid down."""

    def write(self, parsed: Parsed, name: str) -> None:
        """Facts of an item; when another attempt was first, its facts stand."""

    def read(self, name: str) -> Parsed:
        """What ``write`` wrote."""

    def remove(self) -> None:
        """Remove all of it, as far as that can be done."""


def new_staging(folder: str) -> Staging:
    """An empty folder for a load, below a path or URL.

    Raises:
        UsageError, DependencyError: it is a URL that cannot be used.
    """
    folder = local_path(folder)
    if is_url(folder):
        if folder.startswith("memory:"):
            raise UsageError(f"{folder}: executors are other processes and do not see it")
        return RemoteStaging(f"{folder.rstrip('/')}/load-{uuid.uuid4().hex}")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return LocalStaging(Path(tempfile.mkdtemp(prefix="load-", dir=folder)).absolute())


def staging_at(place: str) -> Staging:
    """The folder of a load by its place."""
    return RemoteStaging(place) if is_url(place) else LocalStaging(Path(place))


class LocalStaging:
    """A folder of a file system."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._folder = folder

    def put(self, name: str, data: bytes) -> None:
        (self._folder / name).write_bytes(data)

    def get(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def write(self, parsed: Parsed, name: str) -> None:
        target = self._folder / name
        draft = target.with_name(f".{name}-{uuid.uuid4().hex}")
        draft.mkdir()
        for frame_name, frame in parsed.frames.items():
            frame.write_parquet(draft / f"{frame_name}.parquet", compression="zstd", compression_level=1)
        (draft / _TOLD).write_bytes(_told(parsed))
        try:
            draft.rename(target)
        except OSError:
            # another attempt was first: its facts are these
            shutil.rmtree(draft)
            if not target.is_dir():
                raise

    def read(self, name: str) -> Parsed:
        folder = self._folder / name
        names, identities = _understood((folder / _TOLD).read_bytes())
        return Parsed({one: pl.read_parquet(folder / f"{one}.parquet") for one in names}, identities)

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class RemoteStaging:
    """A prefix of an object store; each object appears whole, and the same item gives the same facts."""

    def __init__(self, url: str) -> None:
        self.place = url
        self._system, self._name = file_system(url)

    def put(self, name: str, data: bytes) -> None:
        fetched(lambda: self._system.pipe_file(f"{self._name}/{name}", data))

    def get(self, name: str) -> bytes:
        return bytes(fetched(lambda: self._system.cat_file(f"{self._name}/{name}")))

    def write(self, parsed: Parsed, name: str) -> None:
        for frame_name, frame in parsed.frames.items():
            out = io.BytesIO()
            frame.write_parquet(out, compression="zstd", compression_level=1)
            self.put(f"{name}/{frame_name}.parquet", out.getvalue())
        self.put(f"{name}/{_TOLD}", _told(parsed))

    def read(self, name: str) -> Parsed:
        names, identities = _understood(self.get(f"{name}/{_TOLD}"))
        return Parsed(
            {one: pl.read_parquet(io.BytesIO(self.get(f"{name}/{one}.parquet"))) for one in names}, identities
        )

    def remove(self) -> None:
        with suppress(OSError):
            fetched(lambda: self._system.rm(self._name, recursive=True))


def _told(parsed: Parsed) -> bytes:
    told = {str(src): asdict(identity) for src, identity in parsed.identities.items()}
    return json.dumps({"frames": sorted(parsed.frames), "identities": told}).encode()


def _understood(data: bytes) -> tuple[Sequence[str], dict[int, Identity]]:
    told = json.loads(data)
    identities = told["identities"].items()
    return told["frames"], {int(src): Identity(**{**one, "chain": tuple(one["chain"])}) for src, one in identities}
