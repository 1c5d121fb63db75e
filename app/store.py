"""The published snapshot for the pages: opened once for all, a cursor for each query, answers kept by snapshot."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

from app.queries.base import Query
from pipeline.errors import NotPublishedError, PeerscopeError, QueryError
from pipeline.settings import Settings, load_settings
from pipeline.warehouse.reader import Result, Snapshot, open_file
from pipeline.warehouse.snapshots import current_snapshot, sequence_of

KEPT_ANSWERS = 400
"""Answers kept for all users together; a page asks about ten questions."""

PAGE_ROWS = 1000
"""Rows of one table of a page: more than a person reads, few enough for a browser."""

PAGE_SECONDS = 20.0
CONSOLE_QUERIES = 2
"""Queries of the console that run at once: the pages of others stay usable."""

_PINNED = "_snapshot"


@st.cache_resource(show_spinner=False)
def settings() -> Settings:
    """Settings of this process, from the environment and the config file that ``peerscope app`` passes on."""
    file = os.environ.get("PEERSCOPE_CONFIG")
    return load_settings(None, Path(file) if file else None)[0]


# An evicted snapshot is closed when the last thread that reads it lets go of it.
@st.cache_resource(max_entries=3, show_spinner=False)
def _open(path: str) -> Snapshot:
    return open_file(Path(path), memory_limit=settings().sql_memory)


@st.cache_resource(show_spinner=False)
def _console_places() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(CONSOLE_QUERIES)


def snapshot() -> Snapshot:
    """The snapshot of this browser session: the one current when it began, until it asks for the newer.

    Raises:
        NotPublishedError: nothing is published; the message names the command.
        WarehouseError: the snapshot cannot be read.
    """
    path = st.session_state.get(_PINNED)
    if path is None or not Path(path).is_file():
        current = current_snapshot(settings().warehouse)
        if not current.is_file():
            raise NotPublishedError(f"snapshot {current.name} is gone; run `peerscope publish`")
        path = st.session_state[_PINNED] = str(current)
    return _open(path)


def newer() -> int | None:
    """Number of a snapshot published since this session took its own; None when there is none."""
    try:
        current = current_snapshot(settings().warehouse)
    except PeerscopeError:
        return None
    pinned = st.session_state.get(_PINNED)
    number = sequence_of(current)
    return number if pinned and number and number > (sequence_of(Path(pinned)) or 0) else None


def take_newest() -> None:
    """Let this session read the newest snapshot from now on."""
    st.session_state.pop(_PINNED, None)


def rows(query: Query, limit: int = PAGE_ROWS) -> Result:
    """The answer to one of the app's own questions, at most ``limit`` rows; callers must not change the frame.

    Raises:
        QueryError: it took too long or needed too much memory.
    """
    taken = snapshot()
    return _answer(taken, str(taken.path), query.first(limit).text, tuple(sorted(query.params.items())), limit)


def frame(query: Query, limit: int = PAGE_ROWS) -> pl.DataFrame:
    """Rows alone."""
    return rows(query, limit).frame


def one(query: Query) -> dict[str, Any]:
    """The only row of a query that has one."""
    return frame(query, 1).row(0, named=True)


def full(query: Query) -> Result:
    """All rows that may be exported; nothing of it is kept in memory."""
    return snapshot().query(query.text, query.params, settings().sql_seconds, settings().sql_rows)


@st.cache_resource(max_entries=KEPT_ANSWERS, show_spinner=False)
def _answer(_snapshot: Snapshot, path: str, sql: str, params: tuple[tuple[str, Any], ...], limit: int) -> Result:  # noqa: ARG001
    return _snapshot.query(sql, dict(params), PAGE_SECONDS, limit)


def console(sql: str, params: Mapping[str, Any]) -> Result:
    """What a person typed, under the limits of the sandbox.

    Raises:
        QueryError: refused, wrong, too long, too large, or too many others ask at the moment.
    """
    places, limits = _console_places(), settings()
    if not places.acquire(timeout=limits.sql_seconds):
        raise QueryError("others are using the console; try again in a moment")
    try:
        return snapshot().query(sql, params, limits.sql_seconds, limits.sql_rows)
    finally:
        places.release()
