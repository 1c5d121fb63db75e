"""Sources that are hard to cut: records over several lines, lines without time, broken and endless ones."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path


def _stamp(n: int) -> str:
    return f"2024-12-18T{7 + n // 36000 % 12:02}:{n // 600 % 60:02}:{n // 10 % 60:02}.{n % 10}00000000Z"


def container_log(seed: int, lines: int) -> bytes:
    """CRI: split lines, stacks, two streams, blank lines, bad bytes, one line that is far too long."""
    rnd, out = random.Random(seed), []
    for n in range(lines):
        stream = "stderr" if rnd.random() < 0.02 else "stdout"
        kind = rnd.random()
        head = f"{_stamp(n)} {stream}"
        if kind < 0.5:
            said = rnd.choice(["State changed to up", "State changed to down", "Error: Hold timer expired"])
            out.append(f"{head} F bird: Mesh_10_0_0_{rnd.randrange(99)}: {said}\n")
        elif kind < 0.6:
            out.append(f"{head} P bird: Mesh_10_0_0_1: \n" * rnd.randrange(1, 60))
            out.append(f"{head} F Connection closed\n")
        elif kind < 0.7:
            stack = "".join(f"{head} F \tfelix/calc.go:{i} +0x1\n" for i in range(rnd.randrange(90)))
            out.append(f"{head} F 2024-12-18 07:00:00.000 [ERROR][{n}] felix/a.go 7: It broke\n{stack}")
        elif kind < 0.75:
            out.append("\n" if kind < 0.72 else f"{head} F bird: caf\udce9\n")
        elif kind < 0.8:
            out.append(f"bird: Mesh_10_0_0_7: Connecting without any time {n}\n")
        else:
            out.append(f"{head} F 2024-12-18 07:00:00.000 [INFO][{n}] felix/b.go 8: All is well {n}\n")
    out.insert(lines // 3, f"{_stamp(lines // 3)} stdout F bird: {'x' * 60_000}\n")
    return "".join(out).encode("utf-8", "surrogateescape")


def bare_log(seed: int, lines: int) -> bytes:
    """BIRD's lines without a time, of both daemons, with stretches that name nobody."""
    rnd, out = random.Random(seed), []
    for n in range(lines):
        address = "fd00_1__2" if n // 400 % 2 else "10_0_0_2"
        named = rnd.random() < 0.01
        out.append(f"bird: Mesh_{address}: BGP session established\n" if named else "bird: Reconfigured\n")
        if rnd.random() < 0.002:
            out.append(f"2024-12-18 07:{n // 100 % 60:02}:00.000 [INFO][9] felix/a.go 1: x\n")
    return "".join(out).encode()


def docker_log(seed: int, lines: int) -> bytes:
    """Docker's JSON with texts that go on in the next object."""
    rnd, out = random.Random(seed), []
    for n in range(lines):
        text = f"bird: Mesh_10_0_0_{n % 50}: State changed to {rnd.choice(['up', 'start'])}"
        end = "" if rnd.random() < 0.05 else "\n"
        out.append(json.dumps({"log": text + end, "stream": "stdout", "time": _stamp(n)}) + "\n")
    return "".join(out).encode()


def write_hard_corpus(folder: Path, lines: int = 300) -> Path:
    """The files above, plain and packed, one also twice."""
    files = {
        "nodes/a/ns/calico-node-aaaaa.log": container_log(1, lines),
        "nodes/b/ns/calico-node-bbbbb.log": container_log(2, lines)[:-1],
        "nodes/c/bare.log": bare_log(3, lines * 3),
        "nodes/d/0.log": docker_log(4, lines),
    }
    # whole text only: most of these lines need not be read one by one
    clean = container_log(7, lines).decode("utf-8", "replace").encode()
    files["nodes/g/ns/calico-node-ggggg.log"] = clean
    packed = container_log(5, lines)
    files["nodes/e/0.log.gz"] = gzip.compress(packed, mtime=0)
    files["nodes/e/0.log.1"] = packed
    files["nodes/f/cut.log.gz"] = gzip.compress(container_log(6, lines), mtime=0)[:-4000]
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        # written long ago: nothing more is waited for
        os.utime(path, (1_734_512_400, 1_734_512_400))
    return folder
