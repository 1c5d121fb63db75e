"""Every limit and choice of peerscope, with its default and the reason for it.

Precedence: command-line flag > environment (``PEERSCOPE_<NAME>``) > config file (TOML, top-level keys) >
default. ``peerscope config`` prints each value with the place it came from.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.errors import SettingError

ENV_PREFIX = "PEERSCOPE_"


def _setting(default: Any, reason: str) -> Any:
    return field(default=default, metadata={"reason": reason})


@dataclass(frozen=True)
class Settings:
    """All settings; units stand in the names. Instances are immutable."""

    warehouse: str = _setting("./warehouse", "folder that holds the warehouse and its snapshots")
    item_bytes: int = _setting(
        64 << 20, "decompressed bytes parsed at once by a process at most: bounds memory, large enough for vectors"
    )
    processes: int = _setting(0, "processes that parse; 0: one for each core")
    spark_staging: str = _setting(
        "", "folder or URL that driver and executors of Spark share; empty: staging/ in the warehouse's folder"
    )
    database_memory: str = _setting(
        "200MB", "memory of the working database: sorting a load spills to disk beyond it, and parsing needs the rest"
    )
    snapshot_memory: str = _setting(
        "500MB", "the same while a snapshot is written: nothing is parsed then, and what is sorted at once fits"
    )
    line_bytes: int = _setting(1 << 20, "a longer line is cut here: no real record is longer, an attack may be")
    record_lines: int = _setting(
        2000, "lines joined into one record at most: a goroutine dump fits, a runaway does not"
    )
    record_bytes: int = _setting(
        64 << 10, "bytes from the first to the last line of a record at most: four times the text that is kept"
    )
    message_bytes: int = _setting(16 << 10, "text kept of one record: felix configuration dumps fit")
    member_bytes: int = _setting(8 << 30, "decompressed bytes of one archive member at most")
    archive_members: int = _setting(200_000, "members of one archive at most: a bundle of 1,000 nodes fits")
    archive_ratio: int = _setting(1000, "decompressed to compressed size at most: text reaches 100, bombs 1,000")
    archive_free_bytes: int = _setting(64 << 20, "growth that is never questioned: small files of blanks are no bombs")
    archive_depth: int = _setting(2, "archives inside archives at most: bundles hold node bundles, not more")
    document_bytes: int = _setting(256 << 20, "JSON or YAML document at most: parsed as a whole in memory")
    batch_files: int = _setting(500, "small files parsed together: keeps the cost of a call off each file")
    unfinished_seconds: float = _setting(
        60.0, "a last line without its end waits until its file was not written to for this long: it may be going on"
    )
    template_examples: int = _setting(3, "benign records kept whole for each template")
    neighbour_bytes: int = _setting(256 << 10, "how far back a line without a time may look for one")
    templates: int = _setting(20_000, "mined templates of one component at most; the rest is counted as overflow")
    keep_snapshots: int = _setting(3, "published snapshots kept: readers may still hold older ones")
    sql_seconds: float = _setting(30.0, "a query of the sandbox is interrupted after this")
    sql_rows: int = _setting(100_000, "rows a query of the sandbox returns at most; the cut is announced")
    sql_memory: str = _setting("1GB", "memory a query of the sandbox may use")
    record_days: int = _setting(
        90, "days that whole records stay: a quarter, long enough to compare with the last upgrade"
    )
    rollup_days: int = _setting(
        730, "days that counts, states and findings stay: two years show what a season or a growth did"
    )
    archive_days: int = _setting(
        365, "days that the archive of all records stays (0: for ever): the year that an investigation may look back"
    )
    free_bytes: int = _setting(
        1 << 30, "free disk below which no load or snapshot begins: a full disk hurts the whole machine"
    )
    compact_share: float = _setting(0.3, "part of the working file that must be free room before maintain rewrites it")
    log_format: str = _setting("text", "what the job says of its own run: text for people, json for log stores")
    webhook_seconds: float = _setting(10.0, "a receiver of notices must answer within this")
    webhook_attempts: int = _setting(4, "times a notice is sent before it waits for the next run: 1, 2, 4 s apart")
    alert_hours: float = _setting(
        6.0, "how long Alertmanager keeps a notice alive; it is sent again after half of that"
    )
    lock_seconds: float = _setting(0.0, "how long a job waits for another one to leave the warehouse")


@dataclass(frozen=True)
class Origin:
    """Where a setting's value came from: ``flag``, ``environment``, ``config file`` or ``default``."""

    name: str
    value: Any
    origin: str
    reason: str


def load_settings(
    flags: Mapping[str, Any] | None = None,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Settings, list[Origin]]:
    """Resolve every setting; ``flags`` holds only what was given on the command line (None = not given).

    Raises:
        SettingError: an unknown name in the config file, or a value of the wrong type.
    """
    env = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    from_file = _read_config(config_file) if config_file else {}
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    origins: list[Origin] = []
    for spec in fields(Settings):
        variable = ENV_PREFIX + spec.name.upper()
        if spec.name in given:
            value, origin = given[spec.name], "flag"
        elif variable in env:
            value, origin = env[variable], f"environment ({variable})"
        elif spec.name in from_file:
            value, origin = from_file[spec.name], f"config file ({config_file})"
        else:
            value, origin = spec.default, "default"
        values[spec.name] = _convert(spec.name, value, hints[spec.name], origin)
        origins.append(Origin(spec.name, values[spec.name], origin, spec.metadata["reason"]))
    return Settings(**values), origins


def _read_config(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingError(f"config file {path}: {exc.strerror}; give an existing TOML file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingError(f"config file {path}: not TOML: {exc}") from exc
    known = {spec.name for spec in fields(Settings)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise SettingError(
            f"config file {path}: unknown setting {unknown[0]!r}; `peerscope config` lists the known ones"
        )
    return data


def _convert(name: str, value: Any, kind: type, origin: str) -> Any:
    try:
        converted = kind(value)
    except (TypeError, ValueError) as exc:
        raise SettingError(f"setting {name} ({origin}): {value!r} is not a {kind.__name__}") from exc
    if kind in (int, float) and converted < 0:
        raise SettingError(f"setting {name} ({origin}): {value!r} must not be negative")
    return converted
