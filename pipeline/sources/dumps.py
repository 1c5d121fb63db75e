"""``kubectl cluster-info dump``: lists of objects as JSON, and between them the logs of containers.

On standard output all of it comes as one text; with ``--output-directory`` each log is a file of its own. In both
a line says which container's log begins or ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

_MARK = b"==== START logs for container "
_SECTION = re.compile(
    rb"^==== START logs for container .*?(?:^==== END logs for container [^\n]*(?:\n|\Z)|\Z)", re.S | re.M
)
_POD = r"^==== START logs for container \S+ of pod (?:[^/\s]+/)?(\S+) ====$"


def split_dump(data: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Stretches of a dump with their place, and whether each is a log; one stretch when it holds no logs."""
    place = 0
    if _MARK in data:
        for section in _SECTION.finditer(data):
            if section.start() > place:
                yield place, data[place : section.start()], False
            yield section.start(), section[0], True
            place = section.end()
    if place < len(data) or not data:
        yield place, data[place:], False


def name_pods(frame: pl.DataFrame) -> pl.DataFrame:
    """Gives the lines of a dump's logs the pod that the line above them names; others stay as they are."""
    marked = pl.col("rest").str.starts_with(_MARK.decode())
    if not frame.select(marked.any()).item():
        return frame
    pod = pl.when(marked).then(pl.col("rest").str.extract(_POD, 1)).forward_fill().over("src")
    return frame.with_columns(pod=pl.coalesce("pod", pod))
