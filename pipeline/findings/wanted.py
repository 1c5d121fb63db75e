"""Which records the analysis looks at: all others stay in the warehouse.

Whoever reads ``ClusterFacts.records`` in another way has to add here what it looks for.
"""

from __future__ import annotations

from pipeline.findings.catalogue import Catalogue
from pipeline.findings.loose import CATEGORIES, STORMS, WAITS
from pipeline.findings.planned import FATAL, STARTED, UNANSWERED
from pipeline.findings.signals.records import STRANGERS
from pipeline.sessions.addresses import SPOKEN
from pipeline.sessions.facts import Wanted
from pipeline.sessions.observations import REMOVING
from pipeline.sessions.reasons import BARE


def wanted(causes: Catalogue) -> Wanted:
    """What sessions, incidents and the questions of causes are made of."""
    categories = causes.record_categories | {*FATAL, UNANSWERED, WAITS, BARE, STRANGERS}
    patterns = sorted(causes.patterns | {STARTED, SPOKEN, REMOVING})
    return Wanted(
        categories, frozenset(CATEGORIES) - categories, causes.rules | frozenset(STORMS),
        "|".join(f"(?:{pattern})" for pattern in patterns),
    )  # fmt: skip
