"""The README of a recording, and the list of all recordings."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sample_logs.lab.scenario import Action, Scenario

TEXTS = Path(__file__).parent / "texts"


NEIGHBOURS = """\
The nodes have permanent neighbour (ARP) entries for each other: one machine's table, shared by all namespaces,
does not hold as many learned ones as this cluster needs."""


def _action_text(action: Action, when: str) -> str:
    arguments = ", ".join(f"{key} = {value!r}" for key, value in action.args.items())
    marks = "".join([" (the fault)" if action.fault else "", " (the cure)" if action.cure else ""])
    return f"- {when}: `{action.do}` {arguments}{marks}"


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    intro = "State, BGP state and last error in `show protocols` since the fault; in brackets, how many ends:"
    return [f"## {title}", intro, "\n".join(lines)]


def _wrap(text: str) -> str:
    return "\n\n".join(textwrap.fill(part, 110) for part in text.split("\n\n"))


def _incident_lines(document: Mapping[str, Any]) -> list[str]:
    if not document["incidents"]:
        return ["No incident: nothing must be found."]
    lines = []
    for incident in document["incidents"]:
        until = incident["ended_at"]
        span = f"until {until}" if until else "not over when the recording ends"
        kind = "planned work" if incident["planned"] else "incident"
        lines.append(f"{kind.capitalize()} `{incident['cause']}`, since {incident['started_at']}, {span}.")
        lines.append(f"The cause is on: {', '.join(incident['culprits'])}.")
        nodes = ", ".join(incident["nodes"])
        lines.append(f"Sessions that failed: {len(incident['sessions'])}; nodes: {nodes}.")
    return lines


def _shown(session: Mapping[str, Any], since: str) -> set[str]:
    """States with errors that one end was in after the fault, as ``show protocols`` has them."""
    texts = set()
    for interval in session["intervals"]:
        if interval["to"] > since and interval["state"] is not None:
            fields = (interval["state"], interval["bgp_state"], interval["last_error"])
            texts.add(" ".join(field for field in fields if field))
    return texts


def _observations(document: Mapping[str, Any]) -> list[str]:
    """What both sides of the failed sessions showed, each text with the number of ends that had it."""
    lines: list[str] = []
    for incident in document["incidents"]:
        failed = {tuple(pair) for pair in incident["sessions"]}
        for side in (0, 1):
            counts: Counter[str] = Counter()
            for session in document["sessions"]:
                ends = (session["node"], session["peer_node"])
                if (ends if side == 0 else ends[::-1]) in failed:
                    counts.update(_shown(session, incident["started_at"]))
            who = "member's" if side == 0 else "other"
            texts = [f"`{text}` ({number})" for text, number in sorted(counts.items(), key=_rarest_last)]
            lines.append(f"- the {who} end: {', '.join(texts) or 'nothing'}")
    return lines


def _rarest_last(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def render(scenario: Scenario, document: Mapping[str, Any]) -> str:
    """README of one recording."""
    course = [_action_text(action, "before the daemons start") for action in scenario.setup]
    course += [_action_text(action, f"after {action.at:g} s") for action in scenario.timeline]
    groups = [
        f"- `{group['name']}` ({group['kind']}): {len(group['reflectors'])} reflectors, "
        f"{len(group['members'])} members, {'with' if group['md5'] else 'without'} password"
        for group in document["groups"]
    ]
    timers = f"The hold time is {scenario.hold_time} s instead of BIRD's 240 s." if scenario.hold_time else ""
    parts = [
        f"# {scenario.id}: {scenario.title}",
        _wrap(scenario.description),
        *scenario.notes,
        *([timers] if timers else []),
        *([NEIGHBOURS] if scenario.pinned_neighbours else []),
        "\n".join(groups),
        "## Course",
        "\n".join([*course, f"- after {scenario.duration:g} s: end"]),
        "## Truth",
        "\n".join(_wrap(line) for line in _incident_lines(document)),
        *_section("What the failed sessions showed", _observations(document)),
        (TEXTS / "origin.md").read_text(encoding="utf-8").strip(),
        "## Made with",
        f"BIRD {document['bird_version']}, Linux {document['kernel']}. To make it again, as root: "
        f"`python -m sample_logs.lab run {scenario.id}`.",
    ]
    return "\n\n".join(parts) + "\n"


def render_index(scenarios: Mapping[str, Scenario], recorded: list[str]) -> str:
    """README of the folder of recordings."""
    rows = [f"- [`{name}`]({name}/README.md): {scenarios[name].title}" for name in recorded]
    head = (TEXTS / "index.md").read_text(encoding="utf-8")
    tail = (TEXTS / "not-made.md").read_text(encoding="utf-8")
    return head + "\n" + "\n".join(rows) + "\n\n" + tail
