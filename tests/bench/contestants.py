"""What peerscope is measured against; each runs in a process of its own on the paths in ``sys.argv``."""

from __future__ import annotations

import gzip
import io
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.engines.processes import Ahead
    from pipeline.settings import Settings

DRAIN_MASKS = (
    (r"\b(?:\d{1,3}\.){3}\d{1,3}(?:/\d+)?\b", "IP"),
    (r"\b0x[0-9a-fA-F]+\b", "HEX"),
    (r"(?<=[A-Za-z]_)\d+(?:_\d+)+", "NAME"),
    (r"(?<![A-Za-z0-9])\d+(?![A-Za-z0-9])", "NUM"),
)
_HEAD = re.compile(r"^\S+ std(?:out|err) [FP] (?:bird: |\S+ \S+ \[[A-Z]+\]\[\d+\] )?")


def _lines(path: str) -> Iterator[str]:
    if path.endswith(".gz"):
        with gzip.open(path, "rt", errors="replace") as packed:
            yield from packed
    elif path.endswith(".zst"):
        import zstandard

        with Path(path).open("rb") as raw, zstandard.ZstdDecompressor().stream_reader(raw) as stream:
            yield from io.TextIOWrapper(stream, errors="replace")
    else:
        with Path(path).open(errors="replace") as plain:
            yield from plain


def drain3_loop() -> None:
    """drain3's own loop as its users write it: head off, four masks, one call for each line."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    config = TemplateMinerConfig()
    config.masking_instructions = [MaskingInstruction(pattern, name) for pattern, name in DRAIN_MASKS]
    miner = TemplateMiner(config=config)
    for path in sys.argv[1:]:
        for line in _lines(path):
            miner.add_log_message(_HEAD.sub("", line.rstrip("\n"), count=1))
    print(len(miner.drain.clusters))


def duckdb_lines() -> None:
    """DuckDB loads the raw lines into a table and nothing else."""
    import duckdb

    with tempfile.TemporaryDirectory(dir=".") as folder:
        con = duckdb.connect(f"{folder}/lines.duckdb", config={"preserve_insertion_order": False})
        con.execute(
            "CREATE TABLE lines AS SELECT line FROM read_csv($files, columns = {'line': 'VARCHAR'}, delim = '\x01', "
            "quote = '', escape = '', header = false, auto_detect = false, strict_mode = false)",
            {"files": sys.argv[1:]},
        )
        con.execute("CHECKPOINT")
        print(con.sql("SELECT count(*) FROM lines").fetchall()[0][0])
        con.close()


def polars_read() -> None:
    """Polars reads the lines and adds up their lengths."""
    import polars as pl

    options = {"separator": "\x01", "quote_char": None, "has_header": False, "schema": {"line": pl.String}}
    frame = pl.scan_csv(sys.argv[1:], **options, encoding="utf8-lossy")  # type: ignore[arg-type]
    print(frame.select(pl.col("line").str.len_bytes().sum()).collect(engine="streaming").item())


def peerscope_stages() -> None:
    """The whole pipeline in one process tree, with the time of each stage: warehouse first, then paths."""
    from pipeline.engines.processes import Ahead
    from pipeline.settings import load_settings

    folder, *paths = sys.argv[1:]
    chosen, _ = load_settings()
    with Ahead(chosen, paths, Path(folder)) as ahead:
        _stages(folder, paths, chosen, ahead)


def _stages(folder: str, paths: list[str], chosen: Settings, ahead: Ahead) -> None:
    from dataclasses import asdict

    from pipeline import steps
    from pipeline.engines.local import InputOptions, ingest
    from pipeline.warehouse.writer import Warehouse

    with Warehouse.open(folder, memory_limit=chosen.database_memory) as warehouse:
        steps.prepare()  # as the command does
        moments = [time.perf_counter()]
        summary = ingest(warehouse, paths, InputOptions(cluster="bench"), chosen, ahead=ahead)
        moments.append(time.perf_counter())
        steps.mine(warehouse, chosen)
        moments.append(time.perf_counter())
        with steps.begun(warehouse) as file:
            steps.analyze(warehouse, None)
            moments.append(time.perf_counter())
            steps.publish(warehouse, chosen, file)
        moments.append(time.perf_counter())
        names = ("ingest", "mine", "analyse", "publish")
        times = {name: round(end - start, 2) for name, start, end in zip(names, moments, moments[1:], strict=False)}
        kept = warehouse.connection.sql("SELECT count(*) FROM records").fetchall()[0][0]
        told = {name: value for name, value in asdict(summary).items() if name.startswith("lines")}
    print({"stages": times, "kept": kept, **told})
