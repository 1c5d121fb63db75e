"""Lines that are only counted, or told by their kind, give the facts that reading each of them gives."""

from __future__ import annotations

import random
import re
import tarfile
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.engines import parse as parsing
from pipeline.engines.facts import COUNTS, Facts
from pipeline.engines.parse import Piece, parse
from pipeline.engines.sieve import Sieve
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
RULESET = load_ruleset()
CRI = Identity("log", "log:cri", "container lines", ("cri",))
START = datetime(2024, 12, 18, 7, tzinfo=UTC)
EXAMPLES = sorted({example.line for rule in RULESET.rules for example in rule.examples})
GO, BIRD = "2024-12-18 07:00:00.{n:03} [{level}][{n}] ", "bird: "
#: What stands behind the head of a container line: each with a place for a number that varies.
SAYINGS = [
    *(GO.replace("{level}", level) + "felix/{f}.go {n}: Loop took {n} ms" for level in ("INFO", "WARNING") for f in "ab"),
    GO.replace("{level}", "INFO") + "felix/calc_graph.go 4{n}: Local endpoint updated id={n}",
    GO.replace("{level}", "INFO") + "felix/l3_routes.go 7: Local endpoint updated id={n}",
    GO.replace("{level}", "WARNING") + "felix/l3_route_resolver.go {n}: Unable to create route for IP; IP={n}",
    GO.replace("{level}", "INFO") + "confd/v3_{n}.go 7: Loop took {n} ms",
    GO.replace("{level}", "INFO") + "confd/client.go {n}: Recompute BGP peerings: HostBGPConfig(node={n}) updated",
    GO.replace("{level}", "INFO") + "client.go 995: Recompute BGP peerings: HostBGPConfig(node={n}) updated",
    "2024-12-18 07:00:00.00x [INFO][9] felix/a.go 1: No stamp {n}",
    "2024-12-18 07:00:00.000 [INFO][x{n}] felix/calc_graph.go 467: Local endpoint updated id=1",
    "2024-12-18 07:00:00.000 [INFO][{n}] felix/calc_graph.go 467: Local endpoint updated id=<*>",
    "2024-12-18 07:00:00.000 [INFO][{n}] felix/calc_graph.go 467: Local endpoint updated x{n}_token=abc1",
    "2024-12-18 07:00:00.000 [INFO][{n}] felix/calc_graph.go 467: password=hunter{n}",
    *(BIRD + text for text in ("device1: Scanning interfaces", "Mesh_10_0_0_{n}: Got KEEPALIVE", "Reconfigured",
                               "Mesh_fd00_{n}__1: Got KEEPALIVE", "Mesh_10_0_0_{n}: State changed to up",
                               "Mesh_10_0_0_1: Got KEEPALIVE" * 2, "kernel1: 10.0.{n}.0/26: will be updated",
                               "kernel1: 10.0.0.0/26: [alien] seen on eth0" * 2, "BGP: Unexpected connect from {n}")),
    "bird6: Mesh_fd00__{n}: Got KEEPALIVE",
    "bird: <WARN> Mesh_10_0_0_{n}: Got KEEPALIVE",
    "bird: bird: Mesh_10_0_0_{n}: Got KEEPALIVE",
    "\tgithub.com/projectcalico/felix/x.go:{n} +0x1",
    "goroutine {n} [running]:",
    "I1218 07:00:00.000000       1 prober.go:{n}] Probe failed",
    "",
    "   ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "MIIEabc{n}",
    "x{n}" * 1500,
]  # fmt: skip


def _head(rnd: random.Random, n: int, zone: str) -> str:
    moment = START + timedelta(seconds=n * 7, microseconds=rnd.randrange(10**6))
    digits = rnd.choice([9, 9, 9, 8, 6, 3, 1])
    fraction = f"{moment.microsecond:06}{rnd.randrange(1000):03}"[:digits]
    stream = "stderr" if rnd.random() < 0.1 else "stdout"
    part = rnd.choice(["F"] * 20 + ["P", "F:x"])
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}{zone} {stream} {part} "


def _filled(number: str, place: re.Match[str]) -> str:
    return number.zfill(3) if place[1] else number


def container_log(seed: int, lines: int, rare: float) -> bytes:
    """Container lines, most of a few sayings, with a share of all others between them."""
    rnd, out = random.Random(seed), []
    common = rnd.sample(SAYINGS, 4) + rnd.sample(EXAMPLES, 2)
    zone = rnd.choice(["Z", "Z", "+08:00", "-03:30"])
    for n in range(lines):
        saying = rnd.choice([*SAYINGS, *EXAMPLES]) if rnd.random() < rare else rnd.choice(common)
        number = str(rnd.randrange(400))
        text = re.sub(r"\{n(:03)?\}", partial(_filled, number), saying)
        head = "" if rnd.random() < rare / 20 else _head(rnd, n, "Z" if rnd.random() < rare / 20 else zone)
        out.append(f"{head}{text}".replace("\n", " ") + ("\r\n" if rnd.random() < rare / 50 else "\n"))
    data = "".join(out).encode()
    # some lines hold bytes that are no text
    return data.replace(b"Loop took 1", b"Loop \xff took 1") if rare else data


def facts(pieces: list[Piece], monkeypatch: pytest.MonkeyPatch, *, sieve: Sieve | None) -> Facts:
    monkeypatch.setattr(parsing, "_sieve", lambda *_: sieve)
    return parse(pieces, RULESET, Settings())


def new_sieve() -> Sieve:
    parsing._sieve.cache_clear()
    return parsing._sieve(RULESET, Settings().template_examples)


def assert_same_facts(one: Facts, other: Facts) -> None:
    """Equal frames; counts are in any order, and a minute may have several rows."""
    for spec in fields(one):
        frames = getattr(one, spec.name), getattr(other, spec.name)
        if spec.name == "counts":
            keys = [name for name in COUNTS.names() if name != "events"]
            frames = tuple(frame.group_by(keys).agg(pl.col("events").sum()).sort(keys) for frame in frames)
        assert_frame_equal(*frames)


def check_same(pieces: list[Piece]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        sieve = new_sieve()
        read = facts(pieces, patch, sieve=None)
        # what was seen before decides nothing
        for _ in range(2):
            assert_same_facts(facts(pieces, patch, sieve=sieve), read)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32), lines=st.integers(1, 300), rare=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    cut=st.tuples(st.floats(0, 0.5), st.floats(0.5, 1)), sources=st.integers(1, 3),
)  # fmt: skip
def test_any_container_log_gives_the_same_facts(
    seed: int, lines: int, rare: float, cut: tuple[float, float], sources: int
) -> None:
    logs = [container_log(seed + n, lines, rare) for n in range(sources)]
    check_same(
        [
            Piece(
                n, f"{n}.log", CRI, data, node=f"node-{n}", begin=int(cut[0] * len(data)), end=int(cut[1] * len(data))
            )
            for n, data in enumerate(logs)
        ]
    )


def test_every_example_of_the_grammar_gives_the_same_facts() -> None:
    """Each example several times, with numbers that vary: no kind joins two meanings."""
    rnd = random.Random(1)
    lines = [re.sub(r"(?<=\d)\d", lambda _: str(rnd.randrange(10)), line) for line in EXAMPLES for _ in range(4)]
    rnd.shuffle(lines)
    heads = [f"{START + timedelta(seconds=n):%Y-%m-%dT%H:%M:%S}.000000001Z stdout F " for n in range(len(lines))]
    for prefix in ("", "bird: ", "2024-12-18 07:00:00.000 [INFO][7] felix/a.go 1: "):
        texts = [line.replace("\n", " ") for line in lines]
        data = "".join(f"{head}{prefix}{text}\n" for head, text in zip(heads, texts, strict=True)).encode()
        check_same([Piece(0, "all.log", CRI, data, node="a")])


@pytest.mark.parametrize("name", ["md5-key-limit-grown", "router-id-conflict", "port-rejected"])
def test_the_recorded_container_logs_give_the_same_facts(name: str) -> None:
    with tarfile.open(SAMPLES / name / "collected.tar.gz") as bundle:
        logs = [stream.read() for member in bundle if member.isfile() and (stream := bundle.extractfile(member))]
    cri = [data for data in logs if identify(data[:SNIFF_BYTES]).chain == ("cri",)]
    assert cri
    check_same([Piece(n, f"{n}.log", CRI, data, node=f"n{n}") for n, data in enumerate(cri)])


def test_most_of_a_quiet_log_is_not_read() -> None:
    said = (
        "2024-12-18 07:00:00.000 [INFO][7] felix/calc_graph.go 467: Local endpoint updated id=WorkloadEndpoint(node=w"
    )
    stamps = [f"{START + timedelta(seconds=n):%Y-%m-%dT%H:%M:%S}.123456789Z" for n in range(500)]
    data = "".join(f"{stamp} stdout F {said}{n})\n" for n, stamp in enumerate(stamps)).encode()
    read = parsing._judge_pieces([Piece(0, "a.log", CRI, data)], RULESET, Settings(), new_sieve())
    assert read.counted["events"].sum() == 500 - Settings().template_examples
    assert read.spoken.height == Settings().template_examples
