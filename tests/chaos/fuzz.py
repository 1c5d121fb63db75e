"""Feeds hostile inputs to every reader: nothing may be raised, hang, be lost or written anywhere."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pipeline.engines.explain import explain_bytes
from pipeline.engines.local import InputOptions, ingest
from pipeline.errors import MissingInputError, PeerscopeError
from pipeline.inventory import selectors
from pipeline.inventory.bird_config import parse_bird_config
from pipeline.inventory.documents import parse_documents
from pipeline.redact import redact
from pipeline.settings import Settings
from pipeline.sources.identify import identify
from pipeline.status import parse_console
from pipeline.warehouse.writer import Warehouse
from tests.chaos.hostile import crafted, mutated, seeds

# What a single input may take on a slow machine; a pattern that explodes takes for ever.
SECONDS = 60
PWNED = Path("/tmp/peerscope-pwned")


@dataclass
class Fuzzed:
    """What a fuzz campaign found."""

    inputs: int = 0
    calls: int = 0
    slowest: tuple[float, str] = (0.0, "")
    troubles: list[str] = field(default_factory=list)
    seconds: float = 0.0


class _TooSlowError(Exception):
    pass


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def ring(_: int, __: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _all_lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") if data else 0)


def _console(data: bytes) -> None:
    facts = parse_console(data, observed_at=datetime(2024, 1, 1, tzinfo=UTC))
    lines = sum(record.lines for record in facts.records) + sum(reject.lines for reject in facts.rejects)
    assert lines == _all_lines(data), f"{lines} of {_all_lines(data)} lines"


def _selector(data: bytes) -> None:
    with contextlib.suppress(PeerscopeError):
        selectors.parse(data.decode("utf-8", "replace")[:2000])


def _redacted(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert redact(text).count("\n") == text.count("\n"), "redaction changed the number of lines"


READERS: dict[str, Callable[[bytes], object]] = {
    "identify": lambda data: identify(data[: 1 << 16]),
    "console": _console,
    "documents": parse_documents,
    "bird.cfg": parse_bird_config,
    "selector": _selector,
    "redact": _redacted,
    "explain": lambda data: explain_bytes(data[:20_000], "x.log", Settings()),
}


def fuzz(folder: Path, inputs: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Fuzzed:
    """Crafted inputs first, then mutations until ``inputs`` were tried; each reader and the whole way of a run."""
    found, rng, real = Fuzzed(), random.Random(seed), seeds()
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    made = list(crafted())
    queue = [
        *made,
        *((f"mutation {n} of seed {seed}", mutated(rng.choice(real), rng)) for n in range(inputs - len(made))),
    ]
    whole: list[Path] = []
    for name, data in queue[:inputs]:
        found.inputs += 1
        small = len(data) <= 1 << 20
        for reader, call in READERS.items():
            if small or reader == "identify":
                _try(found, f"{reader}: {name}", lambda call=call, data=data: call(data))  # type: ignore[misc]
        path = folder / f"{found.inputs:05d}.log"
        path.write_bytes(data)
        whole.append(path)
        if len(whole) == 40 or found.inputs == inputs:
            _whole_way(found, folder, whole)
            whole = []
        if found.inputs % 500 == 0:
            say(f"{found.inputs} inputs, {len(found.troubles)} troubles, {time.monotonic() - started:.0f} s")
    found.seconds = time.monotonic() - started
    return found


def _whole_way(found: Fuzzed, folder: Path, paths: list[Path]) -> None:
    """A run over the files, then each by itself where that failed, to name the one."""
    if not _try(found, "", lambda: _ingest(folder, paths), note=False):
        for path in paths:
            _try(found, f"run: {path.name}", lambda path=path: _ingest(folder, [path]))  # type: ignore[misc]
    if PWNED.exists():
        PWNED.unlink()
        found.troubles.append(f"a file was written outside by one of {paths[0].name} to {paths[-1].name}")
    for path in paths:
        path.unlink()


def _ingest(folder: Path, paths: list[Path]) -> None:
    with Warehouse.open(folder / "warehouse") as warehouse:
        with contextlib.suppress(MissingInputError):
            ingest(warehouse, [str(path) for path in paths], InputOptions(), Settings())
        bad = warehouse.frame(
            "SELECT (SELECT coalesce(sum(events), 0) FROM minute_counts) - "
            "(SELECT coalesce(sum(lines_parsed + lines_unparsed), 0) FROM sources) AS gap"
        )
        assert int(bad["gap"].item()) == 0, "lines lost or doubled"


def _try(found: Fuzzed, name: str, call: Callable[[], object], *, note: bool = True) -> bool:
    found.calls += 1
    started = time.monotonic()
    try:
        with _alarm(SECONDS if note else SECONDS * 10):
            call()
    except _TooSlowError:
        if note:
            found.troubles.append(f"{name}: took more than {SECONDS} s")
        return False
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt):
            raise
        if note:
            found.troubles.append(f"{name}: {type(exc).__name__}: {str(exc)[:200]}")
        return False
    finally:
        if note:
            found.slowest = max(found.slowest, (round(time.monotonic() - started, 2), name))
    return True
