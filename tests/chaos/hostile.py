"""Hostile inputs: bombs, traversals and texts made to break readers, and mutations of real ones."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_logs"
TOKENS = [
    b"\x00", b"\xff\xfe", b"\xf0\x9f\x92\xa9", b"\r\n", b"\r", b"\x1b[2J\x1b]0;x\x07", b"\xe2\x80\xae", b"{", b"}", b"[", b"\"",
    b"\\u0000", b"9" * 40, b"-1", b"1e999", b"%n%s", b"$(id)", b"'; DROP TABLE records; --", b"../../etc/passwd", b"0x", b"NaN",
    b"9999-12-31T23:59:59.999999999Z", b"0000-00-00T00:00:00Z", b"2106-02-07T06:28:16Z stdout F ", b"Mon Feb 30 25:61:61 UTC 2026\n",
    b"-----BEGIN PRIVATE KEY-----", b"password \"", b"BIRD 1.6.8 ready.\n", b"calico/node is not ready: ", b"&a [*a,*a]", b"!!python/object:os.system",
    b"Mesh_", b"10.0.0.999", b"::ffff:1.2.3.4", b"<*>", b"\t", b" " * 300, b"," * 300, b"apiVersion: v1\nkind: List\nitems:\n", b"---\n",
]  # fmt: skip


def seeds() -> list[bytes]:
    """Real content of each kind, cut to what a fuzzer can turn round quickly."""
    found: dict[str, bytes] = {}
    for bundle in sorted(SAMPLES.glob("*/collected.tar.gz"))[:6]:
        with tarfile.open(bundle) as tar:
            for member in tar:
                kind = "/".join(part for part in member.name.split("/") if not any(c.isdigit() for c in part))
                stream = tar.extractfile(member)
                if kind + Path(member.name).suffix not in found and stream is not None:
                    found[kind + Path(member.name).suffix] = stream.read(6000)
    return list(found.values())


def mutated(data: bytes, rng: random.Random) -> bytes:
    """``data`` with a few changes of the kinds that files suffer and attackers make."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randint(0, len(out))
        kind = rng.randrange(7)
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del out[at : at + rng.randint(1, 200)]
        elif kind == 2:
            out[at:at] = rng.choice(TOKENS)
        elif kind == 3:
            piece = bytes(out[at : at + rng.randint(1, 100)])
            out[at:at] = piece * rng.randint(1, 60)
        elif kind == 4:
            out[at:at] = rng.randbytes(rng.randint(1, 60))
        elif kind == 5:
            other = rng.randint(0, len(out))
            out[at:at] = bytes(out[other : other + 300])
        else:
            out[at:at] = rng.choice(TOKENS) * rng.randint(1, 200)
    data = bytes(out)
    packed = rng.random()
    if packed < 0.1:
        data = gzip.compress(data)
        return data[: rng.randint(1, len(data))] if rng.random() < 0.5 else data
    return data


def crafted() -> Iterator[tuple[str, bytes]]:
    """Inputs with a name each, made by hand to hurt."""
    yield "nothing", b""
    yield "one newline", b"\n"
    yield "no newline", b"2024-12-18T07:00:00Z stdout F bird: Started"
    yield "a line of 8 MB", b"2024-12-18T07:00:00Z stdout F " + b"a" * (8 << 20) + b"\nnext\n"
    yield "partial lines for ever", b"2024-12-18T07:00:00Z stdout P x\n" * 50_000
    yield "100,000 templates", b"".join(b"2024-12-18T07:00:00Z stdout F bird: w%c%c%c x\n" % (97 + i % 26, 97 + i // 26 % 26, 97 + i // 676 % 26) for i in range(100_000))  # fmt: skip
    yield "continuations", b"2024-12-18T07:00:00Z [INFO][1] x.go 1: a\n" + b"  more\n" * 50_000
    yield "zeros", b"\0" * (1 << 20)
    yield "clock of the future", b"9999-12-31T23:59:59.999999999Z stdout F bird: Started\n" * 10
    yield "regex bait", b"2024-12-18T07:00:00Z stdout F bird: " + b"a" * 50_000 + b"!\n" + b"password=" * 20_000 + b"\n"
    yield "brackets", b"[" * 100_000
    yield "json depth", b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    yield (
        "json list depth",
        json.dumps({"kind": "List", "items": []}).encode().replace(b"[]", b"[" * 9000 + b"]" * 9000),
    )
    yield "json numbers", b'{"kind":"Node","metadata":{"name":' + b"9" * 10_000 + b"}}"
    yield "yaml laughs", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9)) + b"kind: Node\nmetadata: {name: x}\n"  # fmt: skip
    yield (
        "yaml code",
        b"apiVersion: v1\nkind: Node\nmetadata: !!python/object/apply:os.system ['touch /tmp/peerscope-pwned']\n",
    )
    yield "yaml depth", b"kind: Node\nmetadata: " + b"{a: " * 20_000 + b"}" * 20_000
    yield "bird.cfg depth", b"protocol bgp x {" * 20_000
    yield "table of one row", b"name     proto    table    state  since       info\n" * 20_000
    yield "birdcl wide", b"BIRD 1.6.8 ready.\nname     proto    table    state  since       info\n" + b"x" * (1 << 20)
    yield "gzip bomb", gzip.compress(b"\0" * (200 << 20), 9)
    yield "gzip in gzip", gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x\n"))))
    yield "gzip lies", gzip.compress(b"x\n" * 1000)[:-8] + b"\0" * 8
    yield "zip bomb", _zip({"a.log": b"\0" * (200 << 20)})
    yield "zip traversal", _zip({"../../../../tmp/peerscope-pwned": b"x\n", "/tmp/peerscope-pwned": b"x\n"})
    yield "zip broken", _zip({"a.log": b"x\n" * 100})[:-20]
    yield "tar traversal", _tar([("../../../../tmp/peerscope-pwned", b"x\n", tarfile.REGTYPE, ""), ("/tmp/peerscope-pwned", b"x\n", tarfile.REGTYPE, "")])  # fmt: skip
    yield "tar links", _tar([("a.log", b"", tarfile.SYMTYPE, "/etc/passwd"), ("b.log", b"", tarfile.LNKTYPE, "../../etc/passwd")])  # fmt: skip
    yield "tar devices", _tar([("a.log", b"", tarfile.CHRTYPE, ""), ("b.log", b"", tarfile.FIFOTYPE, ""), ("c", b"", tarfile.BLKTYPE, "")])  # fmt: skip
    yield "tar names", _tar([("x\x1b[31m\n\r.log", b"bird: Started\n", tarfile.REGTYPE, ""), ("n" * 5000, b"x\n", tarfile.REGTYPE, "")])  # fmt: skip
    yield "tar of many", _tar([(f"{n}", b"", tarfile.REGTYPE, "") for n in range(20_000)])
    yield "tar size lies", _tar([("a.log", b"x\n" * 10, tarfile.REGTYPE, "")])[:700]
    yield "zlib, not gzip", zlib.compress(b"x\n" * 1000)


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _tar(members: list[tuple[str, bytes, bytes, str]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, kind, link in members:
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(data), kind, link
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
