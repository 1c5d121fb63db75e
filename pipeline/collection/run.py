"""Runs one command: its output goes to a file, never to a shell, and passwords are out before it is kept."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from pipeline.collection.commands import NSTAT, Command
from pipeline.redact import redact

# A document is cleaned as a whole, because a Secret in YAML spans lines; a longer log is cleaned in pieces.
WHOLE_BYTES = 32 << 20
_PIECE = 8 << 20
_SAID = 300
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Answer:
    """A command's cleaned output in a file of its own, or why there is none."""

    command: Command
    path: Path | None
    problem: str | None


def run(command: Command, programs: tuple[str, ...], folder: Path, seconds: float) -> Answer:
    """Run ``command`` and keep its cleaned output in ``folder``; a failure is an answer, not an exception.

    Raises:
        UsageError: the command does more than read.
    """
    command.check(programs)
    env = os.environ | {"LC_ALL": "C", "TZ": "UTC"}
    with tempfile.TemporaryFile(dir=folder) as raw, tempfile.TemporaryFile(dir=folder) as errors:
        try:
            code = subprocess.run(
                command.words,
                stdin=subprocess.DEVNULL,
                stdout=raw,
                stderr=errors,
                timeout=seconds,
                env=env,
                check=False,
            ).returncode
        except FileNotFoundError:
            return Answer(command, None, f"{command.words[0]} is not installed")
        except subprocess.TimeoutExpired:
            return Answer(command, None, f"no answer within {seconds:g} s")
        except OSError as exc:
            return Answer(command, None, f"{command.words[0]} cannot be run: {exc.strerror}")
        size = raw.seek(0, os.SEEK_END)
        if code:
            errors.seek(0)
            said = errors.read(4096).decode("utf-8", "replace").strip()
            first = redact(said.splitlines()[-1])[:_SAID] if said else "nothing said"
            # What a script printed before it failed is worth keeping: a daemon may be down, its host is not.
            if not (size and "exec" in command.words):
                return Answer(command, None, f"exit code {code}: {first}")
            return Answer(command, _clean(raw, folder, command), f"exit code {code}: {first}; kept what came before")
        if not size:
            return Answer(command, None, "no output")
        return Answer(command, _clean(raw, folder, command), None)


def _clean(raw: IO[bytes], folder: Path, command: Command) -> Path:
    raw.seek(0)
    if raw.read(2) == _GZIP:
        raw.seek(0)
        return _write(cast(IO[bytes], gzip.GzipFile(fileobj=raw)), folder, command)
    raw.seek(0)
    return _write(raw, folder, command)


def _write(raw: IO[bytes], folder: Path, command: Command) -> Path:
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as out:
        rest = b""
        while True:
            try:
                block = raw.read(WHOLE_BYTES if not rest else _PIECE)
            except (OSError, EOFError, zlib.error):
                block = b""
            data = rest + block
            if not block:
                out.write(_without_secrets(data, command))
                return Path(name)
            cut = data.rfind(b"\n") + 1 or len(data)
            if len(data) < WHOLE_BYTES and len(block) < _PIECE:
                rest = data
                continue
            out.write(_without_secrets(data[:cut], command))
            rest = data[cut:]


def _without_secrets(data: bytes, command: Command) -> bytes:
    text = redact(data.decode("utf-8", "surrogateescape"))
    if command.words[-1] == NSTAT:
        text = counters(text)
    return text.encode("utf-8", "surrogateescape")


def counters(text: str) -> str:
    """``/proc/net/netstat`` as ``nstat -az`` prints it, as far as it is about MD5 and listening sockets."""
    out = [line for line in text.splitlines()[:1] if not line.startswith("TcpExt")] + ["#kernel"]
    rows = re.findall(r"^TcpExt: (.*)$", text, re.MULTILINE)
    if len(rows) >= 2:
        for name, value in zip(rows[0].split(), rows[1].split(), strict=False):
            if name.startswith(("TCPMD5", "ListenOverflows", "ListenDrops", "TCPBacklogDrop", "TCPReqQFull")):
                out.append(f"TcpExt{name:<30} {value:<18} 0.0")
    return "\n".join(out) + "\n"
