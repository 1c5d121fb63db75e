"""The README of a recording, and the list of all recordings."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sample_logs.lab.scenario import Action, Scenario

TEXTS = Path(__file__).parent / "texts"


def _action_text(action: Action, when: str) -> str:
    arguments = ", ".join(f"{key} = {value!r}" for key, value in action.args.items())
    marks = "".join([" (the fault)" if action.fault else "", " (the cure)" if action.cure else ""])
    return f"- {when}: `{action.do}` {arguments}{marks}"


def _wrap(text: str) -> str:
    return "\n\n".join(textwrap.fill(part, 110) for part in text.split("\n\n"))


def _incident_lines(document: Mapping[str, Any]) -> list[str]:
    if not document["incidents"]:
        return ["No incident: nothing must be found."]
    lines = []
    for incident in document["incidents"]:
        end = incident["ended_at"] or "not ended when the recording ends"
        kind = "planned work" if incident["planned"] else "incident"
        lines.append(f"{kind.capitalize()} `{incident['cause']}`, {incident['started_at']} to {end}.")
        lines.append(f"The cause is on: {', '.join(incident['culprits'])}.")
        nodes = ", ".join(incident["nodes"])
        lines.append(f"Sessions that failed: {len(incident['sessions'])}; nodes: {nodes}.")
    return lines


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
        "\n".join(groups),
        "## Course",
        "\n".join([*course, f"- after {scenario.duration:g} s: end"]),
        "## Truth",
        "\n".join(_wrap(line) for line in _incident_lines(document)),
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
    return head + "\n" + "\n".join(rows) + "\n"
