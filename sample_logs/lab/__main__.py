"""Command line of the lab: ``python -m sample_logs.lab list|run|refresh|clean``."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from sample_logs.lab import PREFIX, netns, readme, scenario, truth
from sample_logs.lab.recording import Collector
from sample_logs.lab.runner import Lab

RECORDINGS = Path(__file__).resolve().parent.parent
TOOLS = ("bird", "birdc", "dmesg", "ip", "nft", "nstat", "prlimit", "ss", "sysctl", "unshare")


def missing_requirements() -> list[str]:
    """Why the lab cannot run here; nothing if it can."""
    reasons = [] if os.geteuid() == 0 else ["root is needed for network namespaces"]
    return reasons + [f"no {tool} on this machine" for tool in TOOLS if shutil.which(tool) is None]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _stop(number: int, _: FrameType | None) -> None:
    """Leave through the context managers, so that nothing stays behind; once is enough."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def record(item: scenario.Scenario, out: Path) -> None:
    """Run one scenario and write its recording."""
    _say(f"{item.id}: {item.title}")
    with Lab(item) as lab:
        collector = Collector(lab)
        lab.run(collector.take_inventory, lambda text: _say(f"  {text}"))
        up, configured = lab.established()
        _say(f"  {up} of {configured} ends established at the end")
        collector.finish(out / item.id)


def refresh(out: Path) -> None:
    """Bring what recordings take from scenario files, and not from a run, up to date."""
    known = scenario.load_all()
    recorded = [name for name in known if (out / name / "truth.json").exists()]
    for name in recorded:
        path = out / name / "truth.json"
        document = truth.with_labels(json.loads(path.read_text(encoding="utf-8")), known[name])
        path.write_text(truth.dump(document), encoding="utf-8")
        (out / name / "README.md").write_text(readme.render(known[name], document), encoding="utf-8")
    write_index(out)


def write_index(out: Path) -> None:
    """List the recordings that are there."""
    known = scenario.load_all()
    recorded = [name for name in known if (out / name / "truth.json").exists()]
    (out / "README.md").write_text(readme.render_index(known, recorded), encoding="utf-8")


def _clean() -> int:
    names = netns.abandoned()
    netns.remove_namespaces(names)
    for name in names:
        print(f"removed {name}")
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if netns.owner(folder.name) is None:
            shutil.rmtree(folder, ignore_errors=True)
            print(f"removed {folder}")
    return 0


def _run_side_by_side(names: list[str], jobs: int, out: Path) -> int:
    """Record scenarios in processes of their own; the longest first."""
    known = scenario.load_all()
    waiting = sorted(names, key=lambda name: known[name].duration)
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed: list[str] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop()
                argv = [sys.executable, "-m", "sample_logs.lab", "run", name, "--out", str(out)]
                running[name] = subprocess.Popen(argv)
            time.sleep(0.2)
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if running.pop(name).returncode != 0:
                    failed.append(name)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()
    if failed:
        _say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sample_logs.lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name the scenarios")
    run = commands.add_parser("run", help="run scenarios and write their recordings")
    run.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    run.add_argument("--all", action="store_true", help="every scenario")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="how many at a time")
    run.add_argument("--out", type=Path, default=RECORDINGS, metavar="DIR", help="where to write")
    again = commands.add_parser("refresh", help="bring titles, categories and READMEs of recordings up to date")
    again.add_argument("--out", type=Path, default=RECORDINGS, metavar="DIR", help="where the recordings are")
    commands.add_parser("clean", help="remove namespaces and daemons that a killed run left")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    known = scenario.load_all()
    wanted = list(known) if arguments.all else arguments.scenarios
    unknown = sorted(set(wanted) - known.keys())
    reasons = [f"unknown scenario {name}" for name in unknown] or missing_requirements()
    if reasons or not wanted:
        _say("; ".join(reasons) or "name a scenario, or say --all")
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    if arguments.jobs > 1:
        code = _run_side_by_side(wanted, arguments.jobs, arguments.out)
    else:
        code = 0
        for name in wanted:
            record(known[name], arguments.out)
    write_index(arguments.out)
    return code


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the return value is the exit code."""
    arguments = _parser().parse_args(argv)
    if arguments.command == "list":
        for item in scenario.load_all().values():
            print(f"{item.id:28} {item.duration:4.0f} s  {item.title}")
        return 0
    if arguments.command == "clean":
        return _clean()
    if arguments.command == "refresh":
        refresh(arguments.out)
        return 0
    try:
        return _run(arguments)
    except (netns.LabError, scenario.ScenarioError) as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
