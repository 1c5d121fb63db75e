"""The program's own line head: which program speaks, how loud, when, and what it says.

After the envelopes a line begins with one of a few layouts (``LAYOUTS``). Each gives *family* (which
part of the grammar reads the body), *component*, *level*, a stamp of its own and the *body*. Lines of no
layout are ``plain``: they may continue the record before them (see ``records``).
Sources: bird:sysdep/unix/log.c, calico:libcalico-go/lib/logutils, k8s.io/klog, FRR's and Cisco's manuals.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from pipeline.literals import needed
from pipeline.sources.components import (
    BODY_FAMILIES,
    CLIENT_FILES,
    FILE_COMPONENTS,
    KLOG_COMPONENTS,
    LEVELS,
    PREFIX_COMPONENTS,
    PROBE_FILES,
    PROGRAMS,
)
from pipeline.sources.heads import BIRD_PLAIN, LINE, LOGRUS_PLAIN, PROCESS, take_bird, take_logrus, unglued
from pipeline.sources.times import UTC_US, parse_stamps


@dataclass(frozen=True)
class Layout:
    """A line head: ``pattern`` captures any of stamp, level, component, file, body (always present)."""

    name: str
    pattern: str
    family: str
    style: str | None = None

    @property
    def groups(self) -> set[str]:
        return set(re.compile(self.pattern).groupindex)

    def __post_init__(self) -> None:
        # a record that came as JSON may hold line ends: the dot takes them too
        object.__setattr__(self, "pattern", "(?s)" + self.pattern)


_DAY = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d"
LAYOUTS: tuple[Layout, ...] = (
    Layout("bird", r"^(?P<component>bird6?): (?:bird6?: )*(?:<(?P<level>[A-Z]+|\?\?\?)> )?(?P<body>.*)$", "bird"),
    Layout(
        "bird-file",
        rf"^(?P<stamp>{_DAY} {_CLOCK}(?:\.\d+)?) (?:\[[0-9a-f]{{4}}\] )?<(?P<level>[A-Z]+|\?\?\?)> (?P<body>.*)$",
        "bird",
        "iso_space",
    ),
    Layout(
        "logrus",
        rf"^(?P<stamp>{_DAY} {_CLOCK}[.,]\d{{3}}) \[(?P<level>[A-Z]+)\]\[{PROCESS}\] "
        rf"(?:(?P<component>[a-z0-9-]+)/)?(?P<file>[\w.<>-]+) (?P<line>{LINE}): ?(?P<body>.*)$",
        "go",
        "iso_space",
    ),
    Layout(
        "logrus-cut",
        r"^(?:\[(?P<level>[A-Z]+)\]\[\d+\] )?(?:(?P<component>[a-z0-9-]+)/)?(?P<file>[\w.-]+\.go) (?P<line>\d+): "
        r"(?P<body>.*)$",
        "go",
    ),
    Layout(
        "klog",
        rf"^(?P<level>[IWEF])(?P<stamp>\d{{4}} {_CLOCK}\.\d{{1,6}}) +\d+ (?P<file>[\w.-]+):\d+\] ?(?P<body>.*)$",
        "kubelet",
        "klog",
    ),
    # Cilium's agent leaves the time out, or the quotes of it, and may name the place in its source
    Layout(
        "logfmt",
        r'^(?:time="?(?P<stamp>[^" ]+)"? )?level=(?P<level>\w+) (?:source=\S+ )?(?P<body>msg=.*)$',
        "go",
        "iso",
    ),
    Layout(
        "frr",
        rf"^(?:(?P<stamp>\d{{4}}/\d\d/\d\d {_CLOCK}(?:\.\d+)?) )?"
        r"(?P<component>BGP|ZEBRA|BFD|STATIC|OSPF6?|ISIS|PIM|MGMTD|WATCHFRR): "
        r"(?:\[[A-Z0-9]{5}-[A-Z0-9]{5}\] ?)?(?:\[EC \d+\] )?(?P<body>.*)$",
        "frr",
        "slash",
    ),
    # with "log record-priority" the priority stands before the daemon
    Layout(
        "frr-priority",
        rf"^(?P<stamp>\d{{4}}/\d\d/\d\d {_CLOCK}(?:\.\d+)?) "
        r"(?P<level>emergencies|alerts|critical|errors|warnings|notifications|informational|debugging): "
        r"(?:BGP|ZEBRA|BFD|STATIC|OSPF6?|ISIS|PIM|MGMTD|WATCHFRR): "
        r"(?:\[[A-Z0-9]{5}-[A-Z0-9]{5}\] ?)?(?:\[EC \d+\] )?(?P<body>.*)$",
        "frr",
        "slash",
    ),
    # what vtysh shows on a terminal that monitors the log
    Layout(
        "frr-live",
        rf"^(?P<stamp>{_DAY} {_CLOCK}(?:\.\d+)?) \[(?P<level>[A-Z!]{{4,5}})\] "
        r"(?:bgpd|zebra|bfdd|staticd|watchfrr|mgmtd): "
        r"(?:\[[A-Z0-9]{5}-[A-Z0-9]{5}\] ?)?(?:\[EC \d+\] )?(?P<body>.*)$",
        "frr",
        "iso_space",
    ),
    Layout(
        "cisco",
        rf"^(?:\S+: +)?(?:\d+: )?(?:[*.]?(?P<stamp>[A-Z][a-z]{{2}} [ \d]\d {_CLOCK}(?:\.\d+)?)(?: [A-Z]{{3,4}})?: )?"
        r"(?P<body>%[A-Z0-9_]+-\d-[A-Z0-9_]+: .*|BGP(?:\(\d+\))?: [0-9A-Fa-f.:]+ .*)$",
        "cisco",
        "syslog",
    ),
    Layout("json", r'^(?P<body>\{".*?(?:"(?:ts|time)":"(?P<stamp>[^"]+)".*)?\})$', "json", "iso"),
    # rows of events between log lines, as people paste them
    Layout(
        "event-row",
        r"^\s*(?P<level>Normal|Warning)\s+[A-Z]\w*\s+(?:<invalid>|<unknown>|[0-9ydhms]+)(?: \(x\d+ over [^)]+\))?\s+"
        r"(?P<component>[a-z][\w-]*)(?:, \S+)?\s+(?P<body>\S.*)$",
        "kube-event",
    ),
    Layout("level-word", r"^(?P<level>DEBUG|INFO|WARNING|ERROR|FATAL) (?P<body>.*)$", "go"),
)
_LOGRUS = next(layout for layout in LAYOUTS if layout.name == "logrus")
_PLAIN = Layout("plain", r"^(?P<body>.*)$", "plain")
# What can begin a line of no layout: those that cannot are continuations when a record stands before them.
_CONTINUES = (
    r"^(?:\s+\S|\+-[-+]*|\||\}|\)|goroutine \d+ \[|created by |[\w./-]+\.\(?\*?[\w.]+\)?\S*\(.*\)$|"
    r"\[signal |rax |exit status \d+$)"
)


def parse_headers(frame: pl.DataFrame, tz: str = "UTC", reference: datetime | None = None) -> pl.DataFrame:
    """Adds family, component, level, code, body and ``starts`` (the line begins a record); fills a missing ts.

    ``code`` is where in its source a Go program said it, such as ``client.go 1036``.
    ``ts_source`` says where the time came from: envelope, line, or none (neighbours are looked up later).
    """
    if frame.is_empty():
        return _apply(frame, _PLAIN, tz, reference)
    # only what the heads need goes their several ways; the other columns stay in place
    needed = frame.select("rest", "ts", "program").with_row_index("row")
    bird = needed["rest"].str.contains(BIRD_PLAIN)
    logrus = needed["rest"].str.contains(LOGRUS_PLAIN) & needed["program"].is_null()
    rest = needed.filter(~(bird | logrus))
    pieces = [
        _timed(take_bird(needed.filter(bird)), None, tz, reference),
        _timed(take_logrus(needed.filter(logrus)), _LOGRUS, tz, reference),
    ]
    for (name,), rows in rest.with_columns(layout=_layout_of(rest)).partition_by("layout", as_dict=True).items():
        layout = next((known for known in LAYOUTS if known.name == name), _PLAIN)
        pieces.append(_apply(rows.drop("layout"), layout, tz, reference))
    given = ["component", "level", "family", "code", "body", "starts", "ts_source", "ts"]
    heads = pl.concat([piece.select("row", *given) for piece in pieces if piece.height]).sort("row").drop("row")
    return frame.with_columns(heads)


def _timed(rows: pl.DataFrame, layout: Layout | None, tz: str, reference: datetime | None) -> pl.DataFrame:
    """Rows of a common head with their time: the stamp in the line is read only where the envelope has none."""
    source = pl.when(pl.col("ts").is_not_null()).then(pl.lit("envelope")).otherwise(pl.lit("none"))
    rows = rows.with_columns(starts=pl.lit(True), ts_source=source)
    if layout is None or layout.style is None or rows["ts"].null_count() == 0:
        return rows
    stamp = parse_stamps(pl.col("rest").str.slice(0, 23), layout.style, tz, reference)
    told = pl.col("ts").is_null() & stamp.is_not_null()
    return rows.with_columns(
        ts_source=pl.when(told).then(pl.lit("line")).otherwise("ts_source"), ts=pl.coalesce("ts", stamp)
    )


def _layout_of(frame: pl.DataFrame) -> pl.Series:
    """The layout of each line; a pattern is tried on the lines that no earlier one took."""
    layout = pl.Series("layout", [None] * frame.height, dtype=pl.String)
    left = frame.select("rest").with_row_index("at")
    # one text of all lines: what no line holds is found out much faster than line by line
    everything = "\n".join(left["rest"].drop_nulls().to_list()).lower()
    found = []
    for known in LAYOUTS:
        if left.is_empty():
            break
        # to look for texts that a line of a layout holds takes less time than to compile its pattern
        if not any(text in everything for text in needed(known.pattern)):
            continue
        hit = left["rest"].str.contains(known.pattern)
        if hit.any():
            found.append(left.filter(hit).select("at", layout=pl.lit(known.name)))
            left = left.filter(~hit)
    if not found:
        return layout.fill_null("plain")
    taken = pl.concat(found)
    return layout.scatter(taken["at"], taken["layout"]).fill_null("plain")


def _apply(rows: pl.DataFrame, layout: Layout, tz: str, reference: datetime | None) -> pl.DataFrame:
    groups = layout.groups
    rows = rows.with_columns(head=pl.col("rest").str.extract_groups(layout.pattern))
    head = pl.col("head").struct
    text = {name: head.field(name) if name in groups else pl.lit(None, dtype=pl.String) for name in _HEAD}
    stamp = (
        parse_stamps(text["stamp"], layout.style, tz, reference)
        if layout.style and "stamp" in groups
        else pl.lit(None, dtype=UTC_US)
    )
    rows = rows.with_columns(
        line_ts=stamp,
        level=text["level"].replace_strict(LEVELS, default=None),
        said=text["component"],
        file=text["file"],
        code=text["file"] + " " + text["line"],
        body=text["body"].fill_null(""),
        starts=pl.lit(True) if layout is not _PLAIN else ~pl.col("rest").str.contains(_CONTINUES),
    )
    rows = _name_program(rows, layout)
    return rows.with_columns(
        ts_source=pl.when(pl.col("ts").is_not_null())
        .then(pl.lit("envelope"))
        .when(pl.col("line_ts").is_not_null())
        .then(pl.lit("line"))
        .otherwise(pl.lit("none")),
        ts=pl.coalesce("ts", "line_ts"),
    ).drop("head", "line_ts", "said", "file")


_HEAD = ("stamp", "level", "component", "file", "line", "body")


def _name_program(rows: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Component and family from the layout, the program that the envelope names, and the Go file's name."""
    program = pl.col("program").str.extract(r"([^/]+)$", 1)
    by_program = program.replace_strict(PROGRAMS, default=program)
    if layout.name == "logrus" or layout.name == "logrus-cut":
        by_file = pl.col("file").replace_strict(FILE_COMPONENTS, default=pl.lit("felix"))
        component = (
            pl.when(pl.col("file").is_in(PROBE_FILES) & pl.col("body").str.starts_with("Number of node(s)"))
            .then(pl.lit("probe"))
            .otherwise(pl.coalesce(pl.col("said").replace_strict(PREFIX_COMPONENTS, default=pl.col("said")), by_file))
        )
        return rows.with_columns(component=component, family=pl.lit("go"))
    if layout.name == "klog":
        client = pl.col("file").is_in(CLIENT_FILES) & (by_program != "kubelet").fill_null(True)
        by_file = pl.col("file").replace_strict(KLOG_COMPONENTS, default=None)
        return rows.with_columns(
            component=pl.when(client)
            .then(pl.lit("node"))
            .otherwise(pl.coalesce(by_file, by_program, pl.lit("kubelet"))),
            family=pl.when(client | by_file.is_not_null()).then(pl.lit("go")).otherwise(pl.lit("kubelet")),
        )
    if layout.name == "bird":
        return rows.with_columns(component=pl.col("said"), family=pl.lit("bird"), body=unglued(pl.col("body")))
    if layout.name == "bird-file":
        return rows.with_columns(component=pl.coalesce(by_program, pl.lit("bird")), family=pl.lit("bird"))
    if layout.name == "logfmt":
        gobgp = pl.col("body").str.contains(r"\bTopic=|\bKey=") | program.is_in(["bgpd", "gobgpd"])
        body = pl.col("body").str.replace(r'^msg="((?:[^"\\]|\\.)*)"', "${1}").str.replace(r"^msg=", "")
        cilium = pl.col("body").str.contains(r"\bsubsys=(?:bgp|daemon|hive|k8s)")
        return rows.with_columns(
            component=pl.when(gobgp.fill_null(False))
            .then(pl.lit("gobgp"))
            .otherwise(pl.coalesce(by_program, pl.when(cilium).then(pl.lit("cilium")))),
            family=pl.when(gobgp.fill_null(False)).then(pl.lit("gobgp")).otherwise(pl.lit("go")),
            body=body,
        )
    if layout.name == "event-row":
        kubelet = pl.col("said") == "kubelet"
        return rows.with_columns(
            component=pl.when(kubelet).then(pl.lit("kubelet")).otherwise(pl.lit("kube-event")),
            family=pl.lit("kube-event"),
        )
    if layout.name in ("frr", "frr-live", "frr-priority", "cisco"):
        return rows.with_columns(component=pl.lit(layout.family), family=pl.lit(layout.family))
    if layout.name == "json":
        metallb = pl.col("body").str.contains('"caller":"', literal=True)
        gobgp = ~metallb & pl.col("body").str.contains(r'"Topic":"\w+".*"msg":"|"msg":".*"Topic":"\w+"')
        fields = {name: pl.col("body").str.extract(rf'"{name}":"?([^",}}]*)') for name in ("Key", "Reason", "Topic")}
        told = [pl.concat_str(pl.lit(f" {name}="), value) for name, value in fields.items()]
        said = pl.concat_str(pl.col("body").str.extract(r'"msg":"((?:[^"\\]|\\.)*)"'), *told, ignore_nulls=True)
        level = pl.col("body").str.extract(r'"level":"(\w+)"').str.to_lowercase()
        return rows.with_columns(
            component=pl.when(metallb).then(pl.lit("metallb")).when(gobgp).then(pl.lit("gobgp")).otherwise(by_program),
            family=pl.when(metallb)
            .then(pl.lit("metallb"))
            .when(gobgp)
            .then(pl.lit("gobgp"))
            .otherwise(pl.lit("plain")),
            level=pl.when(gobgp).then(level.replace_strict(LEVELS, default=None)).otherwise("level"),
            body=pl.when(gobgp).then(said).otherwise("body"),
        )
    repeated = pl.col("body").str.extract(r"^message repeated \d+ times: \[ ?(.*?)\s*\]$", 1)
    return rows.with_columns(
        body=pl.coalesce(repeated, "body"),
        component=by_program,
        family=by_program.replace_strict(BODY_FAMILIES, default=pl.lit(layout.family)).fill_null(layout.family),
    )
