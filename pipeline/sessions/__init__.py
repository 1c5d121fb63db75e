"""Sessions: what each end showed, through time, and when nobody was looking.

The way in is :class:`ClusterFacts` (plain frames, loaded from the warehouse or built by hand); the way out is
one row for each stretch of time in which one end of a session was up, down or not observed.
"""

from __future__ import annotations

from pipeline.sessions.addresses import AddressBook, build_address_book
from pipeline.sessions.coverage import build_coverage
from pipeline.sessions.facts import ClusterFacts, load_cluster
from pipeline.sessions.intervals import build_intervals
from pipeline.sessions.observations import build_observations
from pipeline.sessions.settings import DEFAULTS, SessionSettings
from pipeline.sessions.speakers import Sessions, build_sessions

__all__ = [
    "DEFAULTS",
    "AddressBook",
    "ClusterFacts",
    "SessionSettings",
    "Sessions",
    "build_address_book",
    "build_coverage",
    "build_intervals",
    "build_observations",
    "build_sessions",
    "load_cluster",
]
