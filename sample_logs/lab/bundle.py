"""Archives that are the same for the same content."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def archive(files: Mapping[str, bytes], moment: float) -> bytes:
    """A ``tar.gz`` with sorted members, all stamped with the time of collection."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            member.mtime = int(moment)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(files[name]))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0, filename="") as stream:
        stream.write(plain.getvalue())
    return packed.getvalue()


def read(path: Path) -> dict[str, bytes]:
    """The files of an archive, by name."""
    files: dict[str, bytes] = {}
    with tarfile.open(path, "r:gz") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            if stream is not None:
                files[member.name] = stream.read()
    return files
