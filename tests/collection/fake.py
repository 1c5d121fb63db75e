"""kubectl and calicoctl of a cluster that is a recording: executables for PATH that answer from its files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROGRAM = """#!{python}
import json, os, sys
sys.path.insert(0, {root!r})
from tests.collection.fake import answer
sys.exit(answer({folder!r}, {name!r}, sys.argv[1:]))
"""
ROOT = Path(__file__).resolve().parent.parent.parent


def install(bin_dir: Path, cluster: Path) -> None:
    """Put both programs into ``bin_dir``; every call is written to ``cluster/calls.jsonl``."""
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name in ("kubectl", "calicoctl"):
        path = bin_dir / name
        path.write_text(PROGRAM.format(python=sys.executable, root=str(ROOT), folder=str(cluster), name=name))
        path.chmod(0o755)


def answer(folder: str, name: str, words: list[str]) -> int:
    """What the program prints for ``words``: a file of the cluster, or the error a real one gives."""
    cluster = Path(folder)
    with (cluster / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps([name, *words]) + "\n")
    words = [word for word in words if not word.startswith(("--context", "--kubeconfig"))]
    key = _key(name, words)
    path = cluster / key
    if not path.exists():
        sys.stderr.write(f"Error from server (NotFound): {key} not found; token=abcdefghijklmnop\n")
        return 1
    sys.stdout.buffer.write(path.read_bytes())
    return 0


def _key(name: str, words: list[str]) -> str:
    if name == "calicoctl":
        return f"calico-{words[1]}.yaml"
    if words[0] == "get" and words[1] == "--raw":
        return "raw" + words[2].rstrip("/")
    if words[0] == "get":
        space = f"-{words[words.index('--namespace') + 1]}" if "--namespace" in words else ""
        return f"{words[1].split('.')[0]}{space}.{words[words.index('-o') + 1]}"
    if words[0] == "logs":
        return f"logs/{words[3]}" + ("-previous" if "--previous" in words else "")
    pod, script = words[3], words[-1]
    kind = next(kind for kind in ("birdcl", "sysctl", "uname", "netstat", "bird.cfg") if _is(kind, script))
    return f"exec/{pod}/{kind}"


def _is(kind: str, script: str) -> bool:
    telling = {"birdcl": "birdcl", "sysctl": "/proc/sys", "uname": "uname -a", "netstat": "net/netstat"}
    return telling.get(kind, "bird.cfg") in script
