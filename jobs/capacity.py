"""The command ``capacity``: limits of the reflectors in the warehouse, or of a plan."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Any

from jobs.console import Context, print_data, print_json, printable
from pipeline.errors import UsageError
from pipeline.findings.capacity import Growth, Limit, Room, plan, rooms
from pipeline.warehouse.reader import open_snapshot

WIDTH = 100


def of_warehouse(ctx: Context, cluster: str | None, form: str) -> None:
    """Print each reflector of the published snapshot against its limits."""
    with open_snapshot(ctx.warehouse) as snapshot:
        found = rooms(snapshot, cluster)
    if form == "json":
        print_json({"mode": "warehouse", "reflectors": [_room(room) for room in found]})
    else:
        print_data(printable("\n".join(_room_lines(found))))


def of_plan(peers: int, *, md5: bool, kernel: str | None, optmem_max: int | None, form: str) -> None:
    """Print whether a daemon could hold so many peers."""
    limits = plan(peers, md5=md5, kernel=kernel, optmem_max=optmem_max)
    if form == "json":
        given = {"peers": peers, "md5": md5, "kernel": kernel, "optmem_max": optmem_max}
        print_json({"mode": "plan", "plan": given, "fits": _verdict(limits), "limits": [_limit(x) for x in limits]})
        return
    words = {True: "fits", False: "does not fit", None: "cannot be told without --kernel or --optmem-max"}
    head = f"A daemon with {peers} peers, {'each with a' if md5 else 'without'} password: {words[_verdict(limits)]}."
    print_data(printable("\n".join([head, *_limit_lines(limits)])))


def check_plan(peers: int | None, md5: bool | None, kernel: str | None, optmem_max: int | None) -> None:
    """Raises UsageError when options of a plan are given without the number of peers."""
    given = {"--md5/--no-md5": md5, "--kernel": kernel, "--optmem-max": optmem_max}
    stray = [name for name, value in given.items() if value is not None]
    if peers is None and stray:
        raise UsageError(f"{stray[0]} belongs to a plan: give --peers N as well")


def _verdict(limits: list[Limit]) -> bool | None:
    """False when a hard limit is broken, None when one that matters is not known."""
    hard = [limit for limit in limits if limit.hard]
    if any(limit.known and limit.fits is False for limit in hard):
        return False
    return None if any(limit.fits is None for limit in hard) else True


def _limit(limit: Limit) -> dict[str, Any]:
    return {**asdict(limit), "headroom": limit.headroom, "fits": limit.fits}


def _room(room: Room) -> dict[str, Any]:
    plain = asdict(room)
    return {**plain, "fits": _verdict(list(room.limits)), "limits": [_limit(limit) for limit in room.limits]}


def _room_lines(found: list[Room]) -> list[str]:
    if not found:
        return ["No reflector and no mesh was seen: give the inventory, or status output of the reflectors."]
    lines: list[str] = []
    for room in found:
        when = f", counted {room.as_of:%Y-%m-%d %H:%M} UTC" if room.as_of else ""
        up = f"{room.established_peers} of " if room.established_peers else ""
        lines += [
            f"{room.reflector} ({room.group_name}, cluster {room.cluster}): {up}{room.configured_peers} peers{when}",
            *_limit_lines(list(room.limits)), *_growth_lines(room.growth), "",
        ]  # fmt: skip
    return lines[:-1]


def _limit_lines(limits: list[Limit]) -> list[str]:
    lines = []
    for limit in limits:
        used = "?" if limit.used is None else str(limit.used)
        most = "?" if limit.limit is None else str(limit.limit)
        state = {True: "", False: "  OVER" if limit.hard and limit.known else "  more than that", None: "  not known"}[
            limit.fits
        ]
        most += "" if limit.known or limit.limit is None else " by default"
        lines.append(f"  {limit.name:<16}{used:>6} of {most}{state}")
        lines += textwrap.wrap(limit.about, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return lines


def _growth_lines(growth: Growth | None) -> list[str]:
    if growth is None or growth.limit_name is None:
        return []
    if growth.verdict == "not_enough_data":
        return ["  growth: not enough days were counted to say when a limit is met"]
    if growth.verdict == "reached":
        return [f"  growth: the limit {growth.limit_name} is reached"]
    pace = f"{growth.per_day:+.2f} peers a day" if growth.per_day is not None else "no trend"
    if growth.meets_at is None and growth.earliest is None:
        return [f"  growth: {pace}; {growth.limit_name} is not met within two years"]
    day = f"{growth.meets_at:%Y-%m-%d}" if growth.meets_at else "beyond two years"
    low = f"{growth.earliest:%Y-%m-%d}" if growth.earliest else "?"
    high = f"{growth.latest:%Y-%m-%d}" if growth.latest else "beyond two years"
    return [f"  growth: {pace}; {growth.limit_name} is met on {day} (95 %: {low} to {high})"]
