"""Options that several commands share, and the words that options know."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class TextOrJson(StrEnum):
    """Output of commands that print data."""

    text = "text"
    json = "json"


class EngineName(StrEnum):
    """Who parses: processes of this machine, or Spark."""

    local = "local"
    spark = "spark"


class ReportFormat(StrEnum):
    """Forms of the report."""

    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"
    prometheus = "prometheus"


class FailOn(StrEnum):
    """Severity from which ``--fail-on`` leaves with exit code 1."""

    warning = "warning"
    error = "error"
    critical = "critical"


class Receiver(StrEnum):
    """Kinds of receivers that ``notify`` knows."""

    generic = "generic"
    alertmanager = "alertmanager"


class SqlFormat(StrEnum):
    """Forms of a query's result."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"


class Overlap(StrEnum):
    """What to do with lines that another dump of the same container had."""

    keep = "keep"
    dedupe = "dedupe"


Paths = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Log files, folders, globs, bundles, or URLs of them.")
]
Cluster = Annotated[str, typer.Option("--cluster", help="Name of the cluster that the input belongs to.")]
Node = Annotated[str | None, typer.Option("--node", help="Node of files that do not name theirs.")]
Zone = Annotated[str, typer.Option("--tz", help="Zone of stamps that carry none, such as Asia/Shanghai.")]
OverlapOption = Annotated[
    Overlap,
    typer.Option("--overlap", help="dedupe: leave out lines that an earlier dump of the same container had."),
]
ArchiveOption = Annotated[
    bool, typer.Option("--archive", help="Keep every record as Parquet too, in the warehouse's folder archive/.")
]
EngineOption = Annotated[EngineName, typer.Option("--engine", help="Who parses: this machine, or Spark.")]
SparkMaster = Annotated[
    str | None,
    typer.Option(
        "--spark-master", metavar="URL", help="Master of Spark: local[2], spark://host:7077, sc://host:15002 …"
    ),
]
SparkConf = Annotated[
    list[str] | None, typer.Option("--spark-conf", metavar="KEY=VALUE", help="Setting of Spark; may be given again.")
]
Format = Annotated[TextOrJson, typer.Option("--format", help="text for people, json for programs.")]
