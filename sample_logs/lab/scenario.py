"""Scenario files: what to build, what to do to it and when, and what must be found in the recording."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCENARIO_DIR = Path(__file__).parent / "scenarios"

GROUP_KINDS = ("reflector", "mesh", "external")

ACTION_ARGUMENTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # action: (required arguments, optional arguments)
    "set_clients": (frozenset({"group", "count"}), frozenset({"broken_on", "silent_on"})),
    "configure": (frozenset({"nodes"}), frozenset({"how"})),
    "sysctl": (frozenset({"nodes", "key", "value"}), frozenset()),
    "signal": (frozenset({"nodes", "signal"}), frozenset()),
    "restart": (frozenset({"nodes"}), frozenset({"container", "down_for"})),
    "stop": (frozenset({"nodes"}), frozenset()),
    "start": (frozenset({"nodes"}), frozenset()),
    "nft": (frozenset({"nodes", "rules"}), frozenset()),
    "nft_clear": (frozenset({"nodes"}), frozenset()),
    "link": (frozenset({"nodes", "state"}), frozenset()),
    "renumber": (frozenset({"node", "address"}), frozenset()),
    "set_address": (frozenset({"node", "address"}), frozenset()),
    "router_id": (frozenset({"nodes", "value"}), frozenset()),
    "password": (frozenset({"nodes", "value"}), frozenset({"peers"})),
    "remove_peer": (frozenset({"nodes", "peers"}), frozenset({"unlabel"})),
    "double_peer": (frozenset({"nodes", "peers"}), frozenset()),
    "occupy_port": (frozenset({"nodes"}), frozenset()),
    "write_config": (frozenset({"nodes"}), frozenset()),
    "limit": (frozenset({"nodes", "resource", "value"}), frozenset()),
    "announce": (frozenset({"nodes", "routes"}), frozenset()),
    "fill_conntrack": (frozenset({"nodes"}), frozenset({"spare"})),
}


class ScenarioError(ValueError):
    """A scenario file that cannot be used, with the reason."""


@dataclass(frozen=True)
class GroupSpec:
    """One peering group: reflectors with clients, a mesh, or nodes with an outside router."""

    name: str
    kind: str = "reflector"
    reflectors: int = 0
    clients: int = 0
    md5: bool = False
    optmem_max: int | None = None
    cluster_id: str = "244.0.0.1"
    interconnect: bool = False
    router_as: int = 0
    configured_as: int = 0


@dataclass(frozen=True)
class Action:
    """Something done to the cluster: before the daemons start (``setup``) or at an offset in seconds."""

    do: str
    args: Mapping[str, Any]
    at: float = 0.0
    fault: bool = False
    cure: bool = False


@dataclass(frozen=True)
class TruthSpec:
    """What an analysis of the recording must conclude."""

    cause: str | None = None
    group: str = ""
    culprits: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    planned: bool = False
    persistent: bool = True
    remedy: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """A scenario file, checked."""

    id: str
    title: str
    description: str
    subnet: ipaddress.IPv4Network
    duration: float
    groups: tuple[GroupSpec, ...]
    truth: TruthSpec
    setup: tuple[Action, ...] = ()
    timeline: tuple[Action, ...] = ()
    observe_every: float = 10.0
    poll_every: float = 1.0
    as_number: int = 64512
    hold_time: int | None = None
    pinned_neighbours: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def mesh(self) -> bool:
        """Whether the node-to-node mesh is on."""
        return any(group.kind == "mesh" for group in self.groups)


def _action(raw: Mapping[str, Any], where: str) -> Action:
    own = {"do", "at", "fault", "cure"}
    do = str(raw.get("do", ""))
    if do not in ACTION_ARGUMENTS:
        raise ScenarioError(f"{where}: unknown action {do!r}")
    args = {key: value for key, value in raw.items() if key not in own}
    required, optional = ACTION_ARGUMENTS[do]
    missing, unknown = required - args.keys(), args.keys() - required - optional
    if missing or unknown:
        raise ScenarioError(f"{where}: action {do}: missing {sorted(missing)}, unknown {sorted(unknown)}")
    return Action(
        do=do,
        args=args,
        at=float(raw.get("at", 0)),
        fault=bool(raw.get("fault", False)),
        cure=bool(raw.get("cure", False)),
    )


def _strings(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(value) for value in raw.get(key, ()))


def _truth(raw: Mapping[str, Any]) -> TruthSpec:
    return TruthSpec(
        cause=raw.get("cause"),
        group=str(raw.get("group", "")),
        culprits=_strings(raw, "culprits"),
        categories=_strings(raw, "categories"),
        planned=bool(raw.get("planned", False)),
        persistent=bool(raw.get("persistent", True)),
        remedy=_strings(raw, "remedy"),
    )


def parse(text: str, where: str) -> Scenario:
    """Read a scenario from TOML text; ``where`` names it in errors."""
    try:
        raw = tomllib.loads(text)
        groups = tuple(GroupSpec(**group) for group in raw["groups"])
        scenario = Scenario(
            id=str(raw["id"]),
            title=str(raw["title"]),
            description=str(raw["description"]).strip(),
            subnet=ipaddress.IPv4Network(raw["subnet"]),
            duration=float(raw["duration"]),
            groups=groups,
            truth=_truth(raw.get("truth", {})),
            setup=tuple(_action(item, where) for item in raw.get("setup", ())),
            timeline=tuple(_action(item, where) for item in raw.get("timeline", ())),
            observe_every=float(raw.get("observe_every", 10)),
            poll_every=float(raw.get("poll_every", 1)),
            as_number=int(raw.get("as_number", 64512)),
            hold_time=raw.get("hold_time"),
            pinned_neighbours=bool(raw.get("pinned_neighbours", False)),
            notes=_strings(raw, "notes"),
        )
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(f"{where}: {error}") from error
    _check(scenario, where)
    return scenario


def _check(scenario: Scenario, where: str) -> None:
    names = {group.name for group in scenario.groups}
    if any(group.kind not in GROUP_KINDS for group in scenario.groups):
        raise ScenarioError(f"{where}: a group's kind is one of {GROUP_KINDS}")
    if scenario.truth.cause is not None and scenario.truth.group not in names:
        raise ScenarioError(f"{where}: truth.group {scenario.truth.group!r} is not a group")
    offsets = [action.at for action in scenario.timeline]
    if offsets != sorted(offsets) or (offsets and offsets[-1] > scenario.duration):
        raise ScenarioError(f"{where}: the timeline is not in order, or ends after the recording")
    faults = sum(action.fault for action in scenario.setup + scenario.timeline)
    if (scenario.truth.cause is not None) != (faults > 0):
        raise ScenarioError(f"{where}: a cause needs an action marked fault, and the other way round")


def load(path: Path) -> Scenario:
    """Read one scenario file; its name must be the scenario's id."""
    scenario = parse(path.read_text(encoding="utf-8"), path.name)
    if scenario.id != path.stem:
        raise ScenarioError(f"{path.name}: id is {scenario.id!r}")
    return scenario


def load_all(folder: Path = SCENARIO_DIR) -> dict[str, Scenario]:
    """Read every scenario file of a folder, by id."""
    return {path.stem: load(path) for path in sorted(folder.glob("*.toml"))}
