"""Which peering group a failing session belongs to."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.findings.columns import Bools, Coded, Ints, blocks, coded
from pipeline.findings.groups import Group
from pipeline.findings.losses import Losses
from pipeline.sessions.pooled import NAME

_MESH_FIRST = {"mesh": 0, "reflector": 1, "external": 2}
_MESH_LAST = {"reflector": 0, "external": 1, "mesh": 2}


def owners(losses: Losses, groups: list[Group]) -> Ints:
    """For each failure the position of its group in ``groups``; -1 for none.

    Reflectors come before outside peers and the mesh, unless all that failed are protocols of the mesh.
    """
    found = np.full(len(losses), -1)
    if not len(losses) or not groups:
        return found
    mesh = _is_mesh(losses)
    holding = [np.zeros(len(losses), np.bool_) for _ in groups]
    for block in blocks(len(losses)):
        failures, names = _names(losses, block)
        for group, held in zip(groups, holding, strict=True):
            held[block] = _holds(group, failures, names, len(held[block]))
    for chosen, order in ((mesh, _MESH_FIRST), (~mesh, _MESH_LAST)):
        for number in sorted(range(len(groups)), key=lambda k: (order.get(groups[k].kind, 3), groups[k].name)):
            found[chosen & (found < 0) & holding[number]] = number
    return found


def _is_mesh(losses: Losses) -> Bools:
    kinds = losses.kinds
    is_mesh, unnamed = kinds.among(("Mesh",)), kinds.among((None,))
    only = np.logical_and.reduceat(is_mesh | unnamed, losses.first)
    return np.asarray(only & np.logical_or.reduceat(is_mesh, losses.first), np.bool_)


def _names(losses: Losses, block: slice) -> tuple[Ints, Coded]:
    """The nodes and addresses of the two ends of some failures, each once: the place in the block, and the name."""
    session, counts = losses.session[block], losses.counts[block]
    ends = losses.ends.slice(int(losses.first[block.start]), int(counts.sum()))
    told = [ends[name] for name in ("node", "peer", "peer_node")]
    speakers = pl.Series(losses.names, dtype=pl.String).str.strip_chars_start("@").cast(NAME)
    told += [speakers.gather(side[session]) for side in losses.sides]
    names = coded(pl.concat([texts.rename("name") for texts in told]))
    each = np.arange(len(session))
    failures = np.concatenate([*[np.repeat(each, counts)] * 3, each, each])
    width = len(names.values)
    named = ~names.among((None, ""))
    distinct = np.unique(failures[named] * width + names.codes[named])
    return distinct // width, Coded(distinct % width, names.values)


def _holds(group: Group, failures: Ints, names: Coded, number: int) -> Bools:
    """Which of the failures belong to a group, as :meth:`Group.holds` says it of one session."""
    members = np.bincount(failures[names.among(set(group.members))], minlength=number)
    if group.kind == "mesh":
        return np.asarray(members > 1, np.bool_)
    hubs = np.bincount(failures[names.among(set(group.reflectors))], minlength=number)
    return np.asarray((hubs > 1) | ((hubs > 0) & (members > 0)), np.bool_)
