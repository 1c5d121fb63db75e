"""Causes held against labelled cases: what ``python -m tests.score`` prints below the lines and sessions.

A case states its cause by an optional ``"cause"`` in its ``case.json`` (one id, or a list of acceptable ids), or a
file of ``--causes`` (JSON or TOML) names it by the case's id or the number it begins with. Everything else of the
case is read as a user would give it: all files of the folder at once, in a warehouse of its own.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.engines.local import InputOptions, ingest
from pipeline.findings import investigate
from pipeline.findings.catalogue import UNDETERMINED, load_catalogue
from pipeline.sessions import load_cluster
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse

CONFIDENT = 0.7
"""Above this a wrong cause misleads; below it the reader looks at the alternatives."""


@dataclass
class CauseScore:
    """Counts over the cases with a stated cause."""

    cases: int = 0
    first: int = 0
    among_three: int = 0
    wrong_and_confident: int = 0
    told: list[str] = field(default_factory=list)

    def add(self, name: str, accepted: list[str], ranked: list[tuple[str, float]]) -> None:
        """Hold one case's ranked claims (cause, confidence) against the ids that are right for it."""
        self.cases += 1
        best = ranked[0] if ranked else (UNDETERMINED, 0.0)
        right = best[0] in accepted
        self.first += right
        self.among_three += any(cause in accepted for cause, _ in ranked[:3])
        bad = not right and best[0] != UNDETERMINED and best[1] > CONFIDENT
        self.wrong_and_confident += bad
        shown = ", ".join(f"{cause} {confidence:.2f}" for cause, confidence in ranked[:4])
        verdict = "right" if right else ("CONFIDENTLY WRONG" if bad else "missed")
        self.told.append(f"{verdict:9} {name[:44]:44} {'/'.join(accepted)} | {shown}")

    def lines(self) -> list[str]:
        """The score in words."""
        if not self.cases:
            return ["no case states its cause"]

        def share(count: int) -> str:
            return f"{100 * count / self.cases:.1f} % ({count})"

        return [
            f"cases with a stated cause: {self.cases}",
            f"right in the first place: {share(self.first)}",
            f"right among the first three: {share(self.among_three)}",
            f"wrong and confident (above {CONFIDENT}): {share(self.wrong_and_confident)}",
        ]


def stated_causes(case: dict[str, Any], given: dict[str, list[str]]) -> list[str]:
    """The acceptable cause ids of a case; none where it states no cause."""
    own = case.get("cause")
    if own:
        return [own] if isinstance(own, str) else list(own)
    name = str(case.get("id", ""))
    return given.get(name) or given.get(name.split("-")[0], [])


def read_causes(path: Path) -> dict[str, list[str]]:
    """Case id to acceptable cause ids, from a JSON or TOML file; unknown ids are refused.

    Raises:
        ValueError: the file names a cause that the catalogue does not have.
    """
    text = path.read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    found = {name: [ids] if isinstance(ids, str) else list(ids) for name, ids in data.items()}
    known = load_catalogue().causes
    for name, ids in found.items():
        strange = [cause for cause in ids if cause not in known]
        if strange:
            raise ValueError(f"{path}: case {name}: there is no cause {strange[0]!r}")
    return found


def ranked_causes(folder: Path) -> list[tuple[str, float]]:
    """What is claimed for a case, each cause once: those of incidents first, the surest first, then the rest."""
    files = [str(path) for path in sorted(folder.iterdir()) if path.name != "case.json"]
    with tempfile.TemporaryDirectory() as place, Warehouse.open(Path(place)) as warehouse:
        ingest(warehouse, files, InputOptions(), Settings())
        findings = investigate(load_cluster(warehouse.connection, "default")).findings
    named = [(f.best.cause.id, f.best.confidence) for f in findings]
    others = [(c.cause.id, c.confidence) for f in findings for c in f.claims[1:] if not c.ruled_out]
    ranked: dict[str, float] = {}
    for cause, confidence in [*_sorted(named), *_sorted(others)]:
        ranked.setdefault(cause, confidence)
    return list(ranked.items())


def _sorted(claims: list[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(claims, key=lambda claim: (claim[0] == UNDETERMINED, -claim[1], claim[0]))
