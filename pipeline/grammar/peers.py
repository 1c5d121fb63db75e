"""From a protocol name or a printed address to the address of the peer."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

# Names that Calico gives: kind, address with underscores, an explicit port.
_NAME = re.compile(r"^(?:Mesh|Node|Global|Local_Workload)_(?P<address>[0-9A-Fa-f_]+?)(?:_port_[0-9]+)?$", re.IGNORECASE)
_BRACKETED = re.compile(r"^\[(?P<address>[^\]]+)\](?::[0-9]+)?$")
_WITH_PORT = re.compile(r"^(?P<address>[0-9.]+):[0-9]+$")


@lru_cache(maxsize=65536)
def peer_of_protocol(protocol: str) -> str | None:
    """The address that a protocol name of Calico stands for, or None.

    ``Mesh_10_0_0_12`` -> ``10.0.0.12``; ``Node_10_0_0_1_port_1790`` -> ``10.0.0.1``;
    ``Mesh_fd80_24e2_f998_72d7__2`` -> ``fd80:24e2:f998:72d7::2``. Four decimal groups are an IPv4 address.
    """
    found = _NAME.match(protocol)
    if found is None:
        return None
    text = found["address"]
    groups = text.split("_")
    if len(groups) == 4 and all(group.isdecimal() for group in groups):
        return _address(".".join(groups))
    return _address(text.replace("_", ":"))


@lru_cache(maxsize=65536)
def clean_peer(text: str) -> str | None:
    """A printed address without port, brackets and zone, in canonical form; None if it is no address."""
    bare = text.strip().rstrip(".,;").partition("%")[0]
    found = _BRACKETED.match(bare) or _WITH_PORT.match(bare)
    return _address(found["address"] if found else bare)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
