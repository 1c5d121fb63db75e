"""Limits that can be computed before anybody runs into them. Pure functions, each with its source."""

from __future__ import annotations

import math
import re

MD5_KEY_BYTES = 136
"""``sizeof(struct tcp_md5sig_key)`` on 64-bit kernels since 3.4 (``linux:include/net/tcp.h``)."""

OPTMEM_OLD_DEFAULT = 20480
OPTMEM_NEW_DEFAULT = 131072
OPTMEM_NEW_SINCE = (6, 8)

GRACEFUL_RESTART_WAIT = 240
"""Seconds that BIRD waits for all peers after a restart before it goes on (``bird:nest/proto.c``)."""

GRACEFUL_RESTART_TIME = 120
"""Seconds that a peer keeps the routes of a speaker that restarts (BIRD's default, Calico's maxRestartTime)."""

MESH_ADVISED_NODES = 100
"""The size up to which the Calico documentation advises a full mesh."""

PROBE_MESSAGE_BYTES = 1024
"""What kubelet keeps of a probe's output in an event (``kubernetes:pkg/probe/exec``: 10 KiB read; events 1 KiB)."""

LISTEN_BACKLOG = 8
"""Connections that wait on BIRD's listening socket (``bird:sysdep/unix/io.c`` sk_open: listen(fd, 8))."""

NEIGHBOURS_DEFAULT = 1024
"""``net.ipv4.neigh.default.gc_thresh3`` when nobody has set it (``linux:net/ipv4/arp.c``)."""

PODS_DEFAULT = 110
"""Pods that a kubelet runs at most when nobody has set maxPods."""


def kernel_release(version: str | None) -> tuple[int, int] | None:
    """Major and minor number of a kernel version such as ``5.4.0-81-generic``; None when it has none."""
    found = re.match(r"\D*(\d+)\.(\d+)", version or "")
    return (int(found.group(1)), int(found.group(2))) if found else None


def default_optmem_max(kernel_version: str | None) -> int | None:
    """What ``net.core.optmem_max`` is when nobody has set it, in bytes; None for an unknown kernel.

    20480 on 64-bit kernels before 6.8, 131072 from 6.8 on (linux commit 4944566706b2).
    """
    release = kernel_release(kernel_version)
    if release is None:
        return None
    return OPTMEM_NEW_DEFAULT if release >= OPTMEM_NEW_SINCE else OPTMEM_OLD_DEFAULT


def md5_key_limit(optmem_max: int) -> int:
    """How many TCP-MD5 keys one listening socket can hold: ceil(optmem_max / 136) - 1.

    A key is taken when its size is at most ``optmem_max`` and what is taken plus the size is less than it
    (``linux:net/core/sock.c`` sock_kmalloc). All peers with a password share BIRD's listening socket, so this
    is the number of password peers of one daemon. 20480 bytes hold 150 keys, 131072 bytes 963; both were
    measured with real daemons.
    """
    return max(0, math.ceil(optmem_max / MD5_KEY_BYTES) - 1)


def optmem_for(peers: int) -> int:
    """The smallest power of two from 131072 on that holds the keys of ``peers`` password peers, in bytes."""
    size = OPTMEM_NEW_DEFAULT
    while md5_key_limit(size) < peers:
        size *= 2
    return size


def mesh_sessions(nodes: int) -> int:
    """Sessions of a full mesh: n(n-1)/2."""
    return nodes * (nodes - 1) // 2


def probe_peers_shown(address_bytes: int = 15) -> int:
    """How many peer addresses fit into a readiness event before the list is cut."""
    prefix = len("calico/node is not ready: BIRD is not ready: BGP not established with ")
    return (PROBE_MESSAGE_BYTES - prefix) // (address_bytes + 1)
