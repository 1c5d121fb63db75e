"""The numbers that decide what silence means, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """Time limits used when observations become intervals."""

    log_gap: timedelta = timedelta(minutes=10)
    """Two log files of one node that lie further apart leave a hole: a rotated file is missing between them."""

    snapshot_gap: timedelta = timedelta(minutes=15)
    """A status table speaks for its moment. Two of them this close are taken to speak for the time between as
    well; the usual collection interval is 10 s (CalicoNodeStatus) to 5 min (a cron job)."""

    stamp_skew: timedelta = timedelta(seconds=3)
    """A status table is stamped with whole seconds, before or after it was printed. A log transition this close
    to it is the more exact witness."""

    probe_reach: timedelta = timedelta(seconds=60)
    """A probe verdict is dropped when a better witness of the same end spoke this close to it."""

    least_up: timedelta = timedelta(seconds=1)
    """A session that is up for less time lost a collision of two connections (milliseconds, as measured)."""


DEFAULTS = SessionSettings()
