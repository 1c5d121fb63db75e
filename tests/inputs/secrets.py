"""Secrets in every form they take in what people collect, put into every kind of input."""

from __future__ import annotations

import hashlib
import json
import re

from pipeline.sources.jsonlines import JSON_LAYERS
from tests.inputs.reading import Sample, piece_of

FORMS: dict[str, str] = {
    "bird.cfg": 'password "{s}";',
    "router": "neighbor 10.0.0.99 password 7 {s}",
    "bearer": "Authorization: Bearer {s}",
    "basic": "Authorization: Basic {s}",
    "address": "https://operator:{s}@10.0.0.1:2379/v2/keys",
    "jwt": "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJ{s}.{s}",
    "json": '{{"user":"a","password":"{s}"}}',
    "environment": "ETCD_PASSWORD={s}",
    "option": "--token {s} --node worker-1",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\n{s}\n{s}\n-----END RSA PRIVATE KEY-----",
    "secret": "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: bgp-secrets\ndata:\n  rr: {s}\n",
}
ANCHORS = (
    "Hold timer expired", "hold-timer-expired", "connection refused", "Unauthorized", "BGP not established with 10.0.1.1",
    "neighbor table overflow!", "(hold time expired)", "i/o timeout", "Kernel MD5 auth failed", "Connection refused",
    "Established", "Daemon is up and running", "Back-off restarting failed container", "10.0.1.1", "192.0.2.1",
    "worker-1", "10.0.0.11", "v3.28.0", "calico-node", "default", "up and running", "BIRD 1.6.8", "MD5Unexpected", "Wed",
    "cali40all-ipam-pools", "v1.30.2", "local as 64512", "6.1.0-13-amd64", "network 12", "9 networks", "reporting non-ready",
    "fd00__12", "State changed to up", "collision resolution",
)  # fmt: skip


def secret_for(*names: str) -> str:
    """A secret that stands nowhere else; looks like nothing but itself."""
    return "Zq" + hashlib.sha256("/".join(names).encode()).hexdigest()[:28] + "xK"


def infected(sample: Sample, form: str) -> tuple[bytes, str]:
    """The sample with a secret inside one of its texts, and the secret."""
    secret = secret_for(sample.name, form)
    text = FORMS[form].format(s=secret)
    data = sample.data.decode("utf-8", errors="surrogateescape")
    anchor = next(anchor for anchor in ANCHORS if anchor in data)
    identity = piece_of(sample).identity
    line_at = data.rfind("\n", 0, data.rfind(anchor)) + 1
    in_json = (
        identity.kind in ("json", "log:metallb")
        or bool(JSON_LAYERS & set(identity.chain))
        or identity.family == "export"
    )
    if (in_json and "START logs" not in data) or data[line_at] == "{":
        text = json.dumps(text)[1:-1]
    elif "\n" in text:
        at = data.rfind("\n", 0, data.rfind(anchor)) + 1
        head = _head_of(data[at:], identity.chain)
        lines = text.split("\n")
        end = data.find("\n", at) + 1 or len(data)
        block = "".join(f"{head}{line}\n" for line in lines)
        return (data[:end] + block + data[end:]).encode("utf-8", errors="surrogateescape"), secret
    at = data.rfind(anchor) + len(anchor)
    return (data[:at] + " " + text + data[at:]).encode("utf-8", errors="surrogateescape"), secret


HEADS = {
    "cri": r".*? std(?:out|err) \S+ ", "svlogd": r"\S+ ", "svlogd-iso": r"\S+ ", "timestamps": r"\S+ ",
    "logcli-text": r".*?\} ", "stern": r"\S+ (?:› )?\S+ (?:\| )?", "kubectl-prefix": r"\S+ ", "dmesg": r"\[[^\]]*\] ",
    "dmesg-time": r"\[[^\]]*\] ", "dmesg-iso": r"\S+ ", "rfc5424": r".*? - - ", "journald-monotonic": r"\[[^\]]*\] .*?: ",
    "journald-iso": r".*? \S+: ", "journald-full": r".*? \S+: ", "journald-unix": r".*? \S+: ", "rfc3164": r".*? \S+: ",
}  # fmt: skip
"""What stands before the text in each envelope."""


def _head_of(line: str, chain: tuple[str, ...]) -> str:
    """The envelope of a line, so that each line of a longer text carries it as a program's output would."""
    match = re.match("".join(HEADS[layer] for layer in chain), line)
    assert match is not None, (chain, line[:80])
    return match[0]
