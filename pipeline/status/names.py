"""Protocol names, addresses and the INFO text of a BGP session."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.status.model import State

PROTOCOL_STATES = frozenset({"up", "start", "down", "wait", "feed", "stop", "flush"})
BGP_STATES = frozenset(
    {"Established", "Connect", "Active", "Idle", "OpenSent", "OpenConfirm", "Close", "Passive", "Down"}
)
#: Class prefixes of ``bird:proto/bgp/bgp.c`` ``bgp_err_classes``, before the text of the last error.
ERROR_PREFIXES = ("Error: ", "Socket: ", "Received: ", "BGP Error: ", "Automatic shutdown: ")


def is_address(text: str | None) -> bool:
    """Whether the text is an IPv4 or IPv6 address (a zone such as ``%eth0`` is allowed)."""
    if not text or len(text) > 64:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address_only(text: str | None) -> str | None:
    """The address of ``10.0.0.1/24``, ``10.0.0.1:179``, ``[fd00::1]:179`` or a bare address; else None."""
    if not text:
        return None
    host = text.strip().split("/", 1)[0]
    if host.startswith("["):
        host = host[1:].split("]", 1)[0]
    elif host.count(":") == 1:
        host = host.split(":", 1)[0]
    return host if is_address(host) else None


def split_info(info: str) -> tuple[str | None, str | None]:
    """Split an INFO text into BGP state and last error, either of which may be missing.

    ``Active        Socket: Connection refused`` -> (``Active``, ``Socket: Connection refused``);
    a protocol that is down shows the error alone.
    """
    info = " ".join(info.split())
    if not info:
        return None, None
    word, _, rest = info.partition(" ")
    if word in BGP_STATES:
        return word, rest or None
    if info.startswith(ERROR_PREFIXES):
        return None, info
    return None, None


_NAMED_FOR = {
    "node-to-node mesh": "Mesh", "node specific": "Node", "global": "Global",
    "NodeMesh": "Mesh", "NodePeer": "Node", "GlobalPeer": "Global",
}  # fmt: skip


def protocol_name(kind: str, address: str) -> str | None:
    """The name that Calico gives the protocol of a peer, from its type as ``calicoctl node status`` or a
    CalicoNodeStatus tells it; None for other types (``calico:confd/etc/calico/confd/templates/bird.cfg.template``)."""
    prefix = _NAMED_FOR.get(kind)
    return f"{prefix}_{re.sub('[.:]', '_', address)}" if prefix and is_address(address) else None


def told_apart(states: Sequence[State], kinds: Mapping[int, str]) -> list[State]:
    """States with a protocol where a table has several rows of one peer, which only their type (by place) tells apart.

    One of two peerings with the same node may be up while the other waits: two sessions, not one that flaps.
    """
    rows: dict[tuple[str | None, str | None], set[str]] = {}
    for place, kind in kinds.items():
        rows.setdefault((states[place].node, states[place].peer), set()).add(kind)
    found = list(states)
    for place, kind in kinds.items():
        state = states[place]
        if len(rows[state.node, state.peer]) > 1 and state.protocol is None:
            found[place] = replace(state, protocol=protocol_name(kind, state.peer or ""))
    return found
