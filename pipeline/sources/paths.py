"""Names of node, pod and container that a source's path tells.

Layouts: kubelet's ``/var/log/pods/NS_POD_UID/CONTAINER/N.log`` and
``/var/log/containers/POD_NS_CONTAINER-ID.log``; ``calicoctl cluster diags`` and our own bundles
(``nodes/NODE/…``, ``nodes/NODE/NS/POD.log``); Calico's ``/var/log/calico/SERVICE/current`` and its copy in
``calicoctl node diags`` (``logs/SERVICE/current``); ``kubectl cluster-info dump`` (``NS/POD/logs.txt``); sosreport's
folder (``sosreport-NODE-DATE-ID``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Names:
    """What the path says; ``stamp`` is a collection time in a file's name."""

    node: str | None = None
    pod: str | None = None
    container: str | None = None
    service: str | None = None
    stamp: datetime | None = None


_NODE = re.compile(r"(?:^|[/!])nodes/(?P<node>[a-z0-9][a-z0-9.-]*)/")
_PODS = re.compile(r"[/!]pods/(?P<ns>[^_/]+)_(?P<pod>[^_/]+)_[^/]+/(?P<container>[^/]+)/[^/]+$")
_CONTAINERS = re.compile(r"[/!]containers/(?P<pod>[^_/]+)_(?P<ns>[^_/]+)_(?P<container>.+)-[0-9a-f]{64}\.log")
# what rotation and packing put behind a name must not change what the name says
_ROTATED = r"(?:[.-]\d[\d-]*)?(?:\.(?:gz|xz|bz2|zst))?$"
_DIAGS = re.compile(r"[/!]nodes/[^/]+/(?P<ns>[a-z0-9-]+)/(?P<pod>[a-z0-9.-]+-[a-z0-9]{5})\.(?:log|txt)" + _ROTATED)
_DUMP = re.compile(r"[/!](?P<ns>[a-z0-9-]+)/(?P<pod>[a-z0-9][a-z0-9.-]*)/logs\.txt$")
_SOS = re.compile(r"[/!]sosreport-(?P<node>[a-z0-9][a-z0-9.-]*?)(?:-\d{5,})?-20\d\d-\d\d-\d\d-[a-z0-9]+[/!.]")
_SERVICE = re.compile(
    r"[/!](?:calico|logs)/(?P<service>bird6?|felix|confd|cni|monitor-addresses)/(?:current|@[0-9a-f]+\.[su])$"
)
_STAMP = re.compile(
    # a file that was rotated is named by when that was: that is no time of collection, and packing keeps identity
    r"(?<!\.log[._-])(?<!/current[._-])(?<!messages-)(?<!syslog-)(?P<y>20\d\d)-?(?P<m>\d\d)-?(?P<d>\d\d)[T_-](?P<H>\d\d)-?:?(?P<M>\d\d)-?:?(?P<S>\d\d)Z?(?=\.[a-z]+$|/[^/]*$)"
)


def names_in_path(path: str) -> Names:
    """Reads the names from a source path (members of archives included); absent names are None."""
    anchored = "/" + path
    node = _NODE.search(anchored) or _SOS.search(anchored)
    pods = (_PODS, _CONTAINERS, _DIAGS, _DUMP)
    pod = next((match for pattern in pods if (match := pattern.search(anchored))), None)
    service = _SERVICE.search(anchored)
    found = pod.groupdict() if pod else {}
    return Names(
        node["node"] if node else None,
        found.get("pod"),
        found.get("container"),
        service["service"] if service else None,
        _stamp(anchored),
    )


def _stamp(path: str) -> datetime | None:
    match = _STAMP.search(path)
    if match is None:
        return None
    try:
        return datetime(*(int(match[part]) for part in "ymdHMS"), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
