"""The compiled part may be missing, and may not touch memory that is not its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.steps import _told
from pipeline.engines.parse import Piece, parse
from pipeline.errors import DependencyError
from pipeline.grammar import load_ruleset
from pipeline.native import library
from pipeline.settings import Settings
from tests.engines.test_sieve import CRI, assert_same_facts, container_log

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = """
import os, random
from pathlib import Path
from pipeline.native import library
library.PATH = Path(os.environ["SANITIZED"])
assert library.available()
import numpy as np
from pipeline.native.counts import Quiet, count_quiet
from pipeline.native.lines import find_lines
from pipeline.native.wordings import Wordings
from tests.native.lines_of import PIECES, STAMP, scanned
rnd, seen = random.Random(1), Wordings()
for round in range(200):
    lines = []
    for _ in range(rnd.randrange(1, 40)):
        text = "".join(rnd.choices(PIECES, k=rnd.randrange(0, 12))).encode()
        text = rnd.choice([text, text, rnd.randbytes(rnd.randrange(400)), b"7" * 4095, b"md5" * 1365, b"x1," * 2000])
        head = rnd.choice([STAMP.encode(), STAMP.encode(), STAMP.encode()[: rnd.randrange(45)], b""])
        lines.append((head + text).replace(b"\\n", b""))
    found, seen, octets = scanned(lines, seen)
    exact = np.frombuffer(b"\\n".join(lines) + b"\\n", np.uint8).copy()  # ends where its memory ends
    begin, width, plain = find_lines(exact)
    from pipeline.native.wordings import scan
    from tests.native.lines_of import WORDS
    scan(exact, begin, width, WORDS, seen)
    rows = np.flatnonzero(found.wording >= 0)
    end = np.cumsum([len(line) + 1 for line in lines])[rows] - 1
    for kinds in (1, 5):
        count_quiet(octets, Quiet(
            np.zeros(len(rows), np.uint32), found.ts[rows], found.wording[rows] % kinds, found.begin[rows], end,
            np.ones(len(rows), bool), np.zeros(len(rows), bool)), np.ones(kinds), 1)
print("clean", len(seen))
"""


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(library, "PATH", tmp_path / "none.so")
    library._load.cache_clear()
    yield
    library._load.cache_clear()


def test_without_it_the_facts_are_the_same(request: pytest.FixtureRequest) -> None:
    pieces = [Piece(n, f"{n}.log", CRI, container_log(n, 400, 0.1), node=f"node-{n}") for n in range(2)]
    fast = parse(pieces, load_ruleset(), Settings())
    request.getfixturevalue("missing")
    slow = parse(pieces, load_ruleset(), Settings())
    assert_same_facts(fast, slow)


def test_who_calls_it_is_told_what_to_do(missing: None) -> None:
    assert not library.available()
    with pytest.raises(DependencyError, match="install peerscope again"):
        library.library()


def test_whoever_reads_without_it_is_told(missing: None) -> None:
    done = dict.fromkeys(("files_read", "files_known", "files_refused", "lines_parsed", "lines_unparsed"), 1)
    done |= dict.fromkeys(("lines_read", "lines_rejected", "lines_known", "lines_waiting"), 1)
    assert "install again with a C compiler" in "\n".join(_told(done))


@pytest.mark.slow
def test_no_byte_outside_its_memory_is_touched(tmp_path: Path) -> None:
    """Built with the sanitizers for addresses and undefined behaviour, over texts made to overrun."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc here")
    built = tmp_path / "scan.so"
    flags = ["-std=c11", "-O1", "-g", "-fPIC", "-shared", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run([compiler, *flags, str(ROOT / "pipeline/native/scan.c"), "-o", str(built)], check=True)
    runtime = subprocess.run([compiler, "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    env = os.environ | {
        "SANITIZED": str(built),
        "LD_PRELOAD": runtime.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(ROOT),
        "PYTHONMALLOC": "malloc",
    }
    done = subprocess.run([sys.executable, "-P", "-c", HOSTILE], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("clean")
