"""The envelopes: one pattern for each way in which a log line is wrapped.

Formats: docs of CRI, runit's svlogd(8), RFC 3164, RFC 5424, systemd's ``journalctl -o``, ``dmesg(1)``, logcli,
fluentd's ``out_file``, kubectl and stern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?"
ZONE = r"(?:Z|[+-]\d\d:?\d\d)"
_PROGRAM = r"(?P<program>[A-Za-z0-9_./@()-]+?)(?:\[(?P<pid>\d+)\])?"


@dataclass(frozen=True)
class Envelope:
    """One layer: ``pattern`` has the group ``rest`` and any of stamp, stream, part, host, program, pid, pod.

    ``one_host``: the layer is only believed when all its lines name the same host.
    """

    name: str
    pattern: str
    style: str | None = None
    program: str | None = None
    one_host: bool = False

    @property
    def groups(self) -> list[str]:
        return list(re.compile(self.pattern).groupindex)

    def __post_init__(self) -> None:
        # a record that came as JSON may hold line ends: the dot takes them too
        object.__setattr__(self, "pattern", "(?s)" + self.pattern)


# The order decides between envelopes that fit the same lines: the more specific one stands first.
ENVELOPES: tuple[Envelope, ...] = (
    Envelope(
        "cri",
        rf"^(?P<stamp>{ISO}{ZONE}) (?P<stream>stdout|stderr) (?P<part>[FP])(?::\S*)?(?: (?P<rest>.*))?$",
        "iso",
    ),
    Envelope("kubectl-prefix", r"^\[pod/(?P<pod>[^/\]]+)/(?P<container>[^\]]+)\] (?P<rest>.*)$"),
    Envelope(
        "rfc5424",
        rf"^<\d{{1,3}}>1 (?P<stamp>{ISO}{ZONE}) (?P<host>\S+) (?P<program>\S+) (?P<pid>\S+) \S+ "
        r"(?:-|\[(?:[^\]\\]|\\.)*\]) ?(?P<rest>.*)$",
        "iso",
    ),
    Envelope(
        "dmesg-time",
        r"^\[(?P<stamp>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] (?P<rest>.*)$",
        "ctime",
        "kernel",
    ),
    # only dmesg writes a comma before the fraction; rsyslog's files look the same otherwise
    Envelope(
        "dmesg-iso",
        r"^(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d) (?P<rest>.*)$",
        "iso",
        "kernel",
    ),
    Envelope(
        "journald-monotonic",
        rf"^\[ *\d+\.\d{{6}}\] (?P<host>[\w.-]+) {_PROGRAM}: (?P<rest>.*)$",
        one_host=True,
    ),
    Envelope("dmesg", r"^(?:<\d+>)?\[ *\d+\.\d{6}\] (?P<rest>.*)$", None, "kernel"),
    Envelope("svlogd", r"^(?P<stamp>\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5}) (?P<rest>.*)$", "iso_underscore"),
    Envelope(
        "journald-full",
        r"^[A-Z][a-z]{2} (?P<stamp>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:[A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)) "
        rf"(?P<host>[\w.-]+) {_PROGRAM}: (?P<rest>.*)$",
        "named_zone",
    ),
    Envelope(
        "journald-unix",
        rf"^(?P<stamp>\d{{9,10}}\.\d{{6}}) (?P<host>[\w.-]+) {_PROGRAM}: (?P<rest>.*)$",
        "epoch_s",
    ),
    Envelope(
        "journald-iso",
        rf"^(?P<stamp>{ISO}{ZONE}) (?P<host>[\w.-]+) {_PROGRAM}: (?P<rest>.*)$",
        "iso",
    ),
    Envelope(
        "rfc3164",
        r"^(?:<\d{1,3}>)?(?P<stamp>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?) "
        rf"(?:(?P<host>[\w.:-]*[\w.-]) )?{_PROGRAM}: ?(?P<rest>.*)$",
        "syslog",
    ),
    Envelope("svlogd-iso", r"^(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{5}) (?P<rest>.*)$", "iso"),
    Envelope(
        "logcli-text",
        rf"^(?P<stamp>{ISO}{ZONE}) \{{(?:[^}}]*?\bcontainer=\"(?P<container>[^\"]*)\")?"
        r"(?:[^}]*?\bnode(?:_name)?=\"(?P<host>[^\"]*)\")?(?:[^}]*?\bpod=\"(?P<pod>[^\"]*)\")?"
        r"[^}]*\} (?P<rest>.*)$",
        "iso",
    ),
    Envelope("fluentd-file", rf"^(?P<stamp>{ISO}{ZONE})\t[\w.-]+\t(?P<rest>\{{.*\}})$", "iso"),
    Envelope("timestamps", rf"^(?P<stamp>{ISO}{ZONE}) (?P<rest>.*)$", "iso"),
    Envelope(
        "stern",
        r"^(?P<pod>[a-z0-9][a-z0-9.-]*-[a-z0-9]{5}) (?:[›>|] )?(?P<container>[a-z0-9-]+) (?:[›>|] )?(?P<rest>.*)$",
    ),
)
