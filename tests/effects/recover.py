"""The whole way over generated clusters: files, ingest, analysis, statistics, and the sentences of the report.

``python -m tests.effects.recover --truth limit`` writes 60 groups over 30 days into a temporary folder, reads
them as anybody's files would be read, and prints what the statistics say beside the truth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline.effects.estimate import estimate_tables, inputs
from pipeline.effects.summary import summarise
from pipeline.engines.local import InputOptions, ingest
from pipeline.findings.analyse import analyse
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.effects.generate import TRUTHS, Truth, write

TABLES = ("exposure", "effects", "size_thresholds", "forecasts", "incidents", "group_sizes")


def recover(truth: Truth, folder: Path) -> dict[str, pl.DataFrame]:
    """Generate, read and analyse; returns the tables of the statistics over all clusters."""
    clusters = write(truth, folder / "files")
    with Warehouse.open(folder / "warehouse") as warehouse:
        for cluster in clusters:
            ingest(warehouse, [str(cluster)], InputOptions(cluster=cluster.name), Settings())
            warehouse.replace_derived(cluster.name, analyse(warehouse.connection, cluster.name))
        for name, tables in estimate_tables(inputs(warehouse)).items():
            warehouse.replace_derived(name, tables)
        return {name: warehouse.frame(f"SELECT * FROM {name}") for name in TABLES}


def main() -> None:
    """Print truth and findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", choices=sorted(TRUTHS), default="limit")
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    truth = replace(TRUTHS[given.truth], groups=given.groups, days=given.days, seed=given.seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = recover(truth, Path(folder))
    print(truth)
    hours, failures = found["exposure"].filter(pl.col("category") == "any").select(
        pl.col("session_hours").sum(), pl.col("failures").sum()
    ).row(0)  # fmt: skip
    print(f"{hours:.0f} session-hours, {failures} failures, {found['incidents'].height} incidents")
    for sentence in summarise(found["effects"], found["size_thresholds"], found["forecasts"]):
        print(f"- {sentence}")
    with pl.Config(tbl_rows=60, tbl_cols=20, tbl_width_chars=250, fmt_str_lengths=70):
        told = found["effects"].filter(pl.col("outcome") == "failures")
        print(told.select("cluster", "category", "factor", "level", "adjusted_for", "method", "estimate", "ci_low",
                          "ci_high", "p_value", "q_value", "verdict"))  # fmt: skip
        print(found["size_thresholds"].select("cluster", "category", "scope", "threshold", "ci_low", "ci_high", "p_value",
                                              "model", "verdict", "explained_by"))  # fmt: skip
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
