"""The head of ``kubectl describe pod|node``: whose description it is and what runs there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.status.lines import Line
from pipeline.status.sink import Sink
from pipeline.status.table_rows import calico_version

_FIELD = re.compile(r"^(?P<indent>\s*)(?P<key>[A-Z][A-Za-z ./\-]{1,40}):(?:\s+(?P<value>\S.*))?$")
_NODE_FACTS = {"Kernel Version": "kernel_version", "OS Image": "os_image", "Kubelet Version": "k8s_version"}


def read_describe(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """One ``Key:   value`` line of a description, or a line below one while the description goes on."""
    line = lines[i]
    text = line.text
    match = _FIELD.match(text)
    starts = bool(match and match["key"] == "Name" and not match["indent"] and match["value"])
    if starts and match:
        ahead = [other.text.partition(":")[0].strip() for other in lines[i + 1 : i + 6]]
        if not {"Namespace", "Priority", "Roles", "Labels", "Selector"} & set(ahead):
            return 0
        sink.enter("kubectl describe")
        sink.host, sink.pod = None, None
        if "Roles" in ahead:
            sink.host = match["value"]
        elif "Namespace" in ahead:
            sink.pod = match["value"]
            sink.pods.add(match["value"])
    elif sink.segment != "kubectl describe":
        return 0
    if match and match["value"]:
        _field(line, match["key"].strip(), match["value"], sink)
    sink.record([line], role="detail", component="inventory", pod=sink.pod)
    return 1


def _field(line: Line, key: str, value: str, sink: Sink) -> None:
    if key == "Node" and sink.pod:
        sink.host = value.partition("/")[0]
        sink.hosts.add(sink.host)
    elif key == "Image":
        version = calico_version(value)
        if version:
            sink.fact(line, "calico_version", version)
    elif key in _NODE_FACTS:
        sink.fact(line, _NODE_FACTS[key], value)
