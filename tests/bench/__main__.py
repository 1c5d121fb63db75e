"""``python -m tests.bench``: corpora, contestants, medians, ratios. All figures of one table come from one run."""

from __future__ import annotations

import argparse
import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.corpus import MIXES, compress, write_corpus
from tests.bench.measure import Run, median, python, run

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9}
DRAIN_BYTES = 20_000_000  # drain3 reads a few MB/s: it gets the first files, up to this many bytes


def size_of(text: str) -> int:
    """Bytes of ``100m``, ``1g``, ``4g``."""
    unit = _UNITS.get(text[-1].lower(), 1)
    return int(float(text[:-1] if unit > 1 else text) * unit)


def warm(paths: list[Path]) -> None:
    """Read the files once, so that every contestant finds them in memory."""
    for path in paths:
        with path.open("rb") as stream:
            while stream.read(1 << 24):
                pass


def contest(paths: list[Path], repeats: int, others: bool) -> dict[str, tuple[Run, int]]:
    """Medians of each contestant over the paths, in turn and not one after the other; with the bytes each read."""
    few: list[Path] = []
    for path in paths:
        if not few or sum(p.stat().st_size for p in few) + path.stat().st_size <= DRAIN_BYTES:
            few.append(path)
    commands = {"peerscope": (python("peerscope_stages()"), paths)}
    if others:
        commands["drain3 loop"] = (python("drain3_loop()"), few)
        commands["duckdb raw lines"] = (python("duckdb_lines()"), paths)
        commands["polars read"] = (python("polars_read()"), paths)
        commands["wc -l"] = (["wc", "-l"], paths)
        if shutil.which("lnav"):
            commands["lnav"] = (["lnav", "-n", "-c", ";SELECT count(*) FROM all_logs"], paths)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(repeats + 1):
        for name, (command, given) in commands.items():
            warm(given)
            with tempfile.TemporaryDirectory() as folder:
                place = [f"{folder}/warehouse"] if name == "peerscope" else []
                one = run([*command, *place, *map(str, given)], watched=turn == repeats)
                if name == "peerscope":
                    one = Run(one.wall, one.cpu, one.peak, f"{one.output.strip()}|{sizes_on_disk(Path(folder))}")
            runs[name].append(one)
    return {name: (median(found), sum(p.stat().st_size for p in commands[name][1])) for name, found in runs.items()}


def sizes_on_disk(folder: Path) -> int:
    """Bytes of the newest published snapshot."""
    return max((path.stat().st_size for path in folder.rglob("snapshots/*.duckdb")), default=0)


def report(title: str, results: dict[str, tuple[Run, int]], plain_bytes: int) -> float:
    """Print one table; returns peerscope's MB/s of decompressed input."""
    print(f"\n## {title}: {plain_bytes / 1e6:.0f} MB decompressed\n")
    print("| | wall s | cpu s | MB/s | MB per cpu s | peak MB |\n|---|---|---|---|---|---|")
    speed, thrift = {}, {}
    whole = results["peerscope"][1]
    for name, (one, read) in results.items():
        size = plain_bytes * read / whole
        speed[name], thrift[name] = size / one.wall / 1e6, size / one.cpu / 1e6
        print(
            f"| {name} | {one.wall:.2f} | {one.cpu:.2f} | {speed[name]:.1f} | {thrift[name]:.1f} | {one.peak / 1e6:.0f} |"
        )
    text, disk = results["peerscope"][0].output.rsplit("|", 1)
    told = ast.literal_eval(text)
    lines, kept = told["lines_read"], told["kept"]
    print(f"\nstages (s): {told['stages']}")
    print(
        f"{lines / results['peerscope'][0].wall:,.0f} lines/s; {told['lines_unparsed']} unclassified; {kept} records kept"
        f" ({kept / lines:.0%}); published {int(disk) / max(lines, 1):.1f} MB per million events"
    )
    for name in ("duckdb raw lines", "drain3 loop"):
        if name in speed:
            wall, cpu = speed["peerscope"] / speed[name], thrift["peerscope"] / thrift[name]
            print(f"peerscope / {name}: {wall:.2f} by wall time, {cpu:.2f} by processor time")
    return speed["peerscope"]


def time_app(records: int) -> None:
    """Print the seconds of the first view and of a filter for each page, in headless Chromium."""
    from tests.app.browsing import missing
    from tests.app.timing import measure_large

    if why := missing():
        sys.exit(f"the app cannot be timed here: {why}")
    print("| page | first view s | server cpu s | filter s | server cpu s |\n|---|---|---|---|---|")
    for page, took in measure_large(records=records, repeat=3).items():
        figures = (took.get(name) for name in ("first", "first_server_cpu", "filter", "filter_server_cpu"))
        print(f"| {page} | " + " | ".join("" if value is None else f"{value:.2f}" for value in figures) + " |")


def main() -> None:
    """Parse the arguments and run the tables that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--size",
        default="100m",
        help="decompressed bytes of each corpus: 100m, 1g, 4g; several (1g,4g) tell the growth",
    )
    parser.add_argument("--files", type=int, default=16, help="files of the corpus; 1 for one large file")
    parser.add_argument("--mix", choices=sorted(MIXES), default="noisy")
    parser.add_argument(
        "--packed", default="gz,zst", help="compressed forms measured beside the plain one; '' for none"
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--queries", type=int, default=0, help="time the saved questions over this many events")
    parser.add_argument("--spark", action="store_true", help="also run the Spark engine on local[2]")
    parser.add_argument("--app", type=int, default=0, help="time the app's pages over this many events, in a browser")
    given = parser.parse_args()
    if given.app:
        time_app(given.app)
        return
    if given.queries:
        from tests.bench.queries import time_queries

        time_queries(given.queries)
        return
    before: tuple[float, int] | None = None
    for size in map(size_of, given.size.split(",")):
        speed, peak = measure(size, given)
        if before is not None:
            print(f"growth: time a byte {before[0] / speed:.2f} of the size before, peak memory {peak / before[1]:.2f}")
        before = speed, peak


def measure(size: int, given: argparse.Namespace) -> tuple[float, int]:
    """The tables of one size; the speed (MB/s) and the peak memory of plain files."""
    with tempfile.TemporaryDirectory(prefix="peerscope-bench-") as folder:
        paths = write_corpus(Path(folder, "plain"), size, files=given.files, mix=given.mix)
        plain_bytes = sum(path.stat().st_size for path in paths)
        results = contest(paths, given.repeat, True)
        base = report(f"{given.mix}, {given.files} plain files", results, plain_bytes)
        for kind in filter(None, given.packed.split(",")):
            packed = compress(paths, Path(folder, kind, "nodes"), kind)
            speed = report(f"{given.mix}, {kind}", contest(packed, given.repeat, False), plain_bytes)
            print(f"{kind} / plain: {speed / base:.2f}")
        if given.spark:
            from tests.bench.spark import time_spark

            time_spark(paths, plain_bytes)
        return base, results["peerscope"][0].peak


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        sys.exit(f"{' '.join(map(str, exc.cmd))[:200]} failed: {exc.output}")
