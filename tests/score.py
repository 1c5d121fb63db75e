"""Measure against cases that people labelled: ``python -m tests.score DIR [--misses] [--causes FILE]``.

A case is a folder with input files and a ``case.json`` that labels lines (file, 1-based line, component, category,
peers) and sessions (peer, state, bgp_state). The whole reading path runs over the files; a label is held against
the record that covers its line. Failure categories are all but those that only give context. A case may also state
its cause; see ``tests/score_causes.py``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.engines.local import read_content
from pipeline.engines.parse import Piece, parse, understand_pieces
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import walk_sources
from pipeline.sources.paths import names_in_path
from tests.score_causes import CauseScore, ranked_causes, read_causes, stated_causes

CONTEXT = {"benign", "session_state_change", "session_established", "unclassified"}


@dataclass
class Score:
    """Counts over all labelled lines and sessions."""

    lines: int = 0
    component: int = 0
    with_peers: int = 0
    peers: int = 0
    sessions: int = 0
    sessions_found: int = 0
    expected: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)

    def ratio(self, part: float, whole: float) -> float:
        return part / whole if whole else 1.0

    def failure(self, counts: Counter[str]) -> int:
        return sum(count for name, count in counts.items() if name not in CONTEXT)

    @property
    def recall(self) -> float:
        return self.ratio(self.failure(self.right), self.failure(self.expected))

    @property
    def precision(self) -> float:
        return self.ratio(self.failure(self.right), self.failure(self.found))


def read_case(folder: Path) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
    """Records of each file of the case, and the observed states."""
    settings, ruleset = Settings(), load_ruleset()
    records: dict[str, list[dict[str, Any]]] = {}
    states: list[dict[str, Any]] = []
    for source in walk_sources([str(folder)], settings):
        if isinstance(source, Refusal) or source.path.endswith("case.json"):
            continue
        content = read_content(source, settings)
        names = names_in_path(source.path)
        pieces = [
            Piece(0, source.path, content.identity, data, offset, names.node, reference=source.mtime)
            for offset, data in content.pieces
        ]
        if pieces:
            records[Path(source.path).name] = understand_pieces(pieces, ruleset, settings).spoken.to_dicts()
            states += parse(pieces, ruleset, settings).states.to_dicts()
    return records, states


def score_case(folder: Path, score: Score) -> None:
    """Hold one case's labels against what was read."""
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    records, states = read_case(folder)
    for label in case["lines"]:
        data = (folder / label["file"]).read_bytes()
        start = sum(len(line) + 1 for line in data.split(b"\n")[: label["line"] - 1])
        row = next(
            (r for r in records.get(label["file"], []) if r["offset"] <= start < r["offset"] + max(r["length"], 1)),
            None,
        )
        _score_line(label, row, score, f"{folder.name} {label['file']}:{label['line']}")
    for session in case["sessions"]:
        score.sessions += 1
        if any(_same_session(session, state) for state in states):
            score.sessions_found += 1
        else:
            score.misses.append(f"{folder.name} session {session['peer']} {session['state']} {session['bgp_state']}")


def _score_line(label: dict[str, Any], row: dict[str, Any] | None, score: Score, place: str) -> None:
    got: dict[str, Any] = row or {"category": "(no record)", "component": None, "peers": [], "rule": None}
    score.lines += 1
    score.expected[label["category"]] += 1
    score.found[got["category"]] += 1
    text = f": {got['message'][:100]!r}" if row else ""
    if got["category"] == label["category"]:
        score.right[label["category"]] += 1
    else:
        score.misses.append(f"{place} category {label['category']} read as {got['category']} ({got['rule']}){text}")
    if got["component"] == label["component"]:
        score.component += 1
    else:
        score.misses.append(f"{place} component {label['component']} read as {got['component']}{text}")
    if label["peers"]:
        score.with_peers += 1
        if set(label["peers"]) == set(got["peers"]):
            score.peers += 1
        else:
            score.misses.append(f"{place} peers {label['peers']} read as {got['peers']}{text}")


def _same_session(session: dict[str, Any], state: dict[str, Any]) -> bool:
    peer = session["peer"] in (state["peer"], state["protocol"])
    same = state["state"] == session["state"] or (session["state"] == "down" and "MD5" in (state["last_error"] or ""))
    return peer and same and session["bgp_state"] in (state["bgp_state"], None)


def main() -> None:
    """Print the score; with ``--misses`` every label that was not met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--causes", type=Path, help="JSON or TOML: acceptable cause ids for each case")
    args = parser.parse_args()
    given = read_causes(args.causes) if args.causes else {}
    score, causes = Score(), CauseScore()
    for case in sorted(args.folder.glob("*/case.json")):
        score_case(case.parent, score)
        accepted = stated_causes(json.loads(case.read_text(encoding="utf-8")), given)
        if accepted:
            causes.add(case.parent.name, accepted, ranked_causes(case.parent))
    names = sorted(set(score.expected) | set(score.found))
    print(f"{'category':26} labelled  found  right")
    for name in names:
        print(f"{name:26} {score.expected[name]:8} {score.found[name]:6} {score.right[name]:6}")
    print(f"\nfailure categories: recall {score.recall:.3f}, precision {score.precision:.3f}")
    print(f"all categories: {sum(score.right.values())} of {score.lines} lines")
    print(
        f"component: {score.ratio(score.component, score.lines):.3f}; peers: {score.ratio(score.peers, score.with_peers):.3f}"
    )
    print(f"sessions found with the right state: {score.sessions_found} of {score.sessions}")
    print("\n" + "\n".join(causes.lines()))
    if args.misses:
        print("\n".join([*score.misses, *causes.told]))


if __name__ == "__main__":
    main()
