"""``python -m tests.chaos --faults 200 --seed 1``: the fault campaign, then the fuzz campaign, with figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Campaign, Outcome, small_disk, unmount
from tests.chaos.escapes import Tried, escape
from tests.chaos.fuzz import Fuzzed, fuzz
from tests.warehouse.build import build


def campaign(faults: int, seed: int) -> Outcome:
    """The faults in a folder of their own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="peerscope-chaos-") as name:
        folder = Path(name)
        disk = folder / "disk"
        mounted = small_disk(disk)
        try:
            run = Campaign(folder, disk / "warehouse", seed, mounted)
            return run.run(faults, lambda text: print(text, flush=True))
        finally:
            if mounted:
                unmount(disk)


def fuzz_campaign(inputs: int, seed: int) -> tuple[Fuzzed, Tried]:
    """Hostile inputs to every reader, then the attempts to get out of the SQL sandbox."""
    with tempfile.TemporaryDirectory(prefix="peerscope-fuzz-") as name:
        folder = Path(name)
        fuzzed = fuzz(folder / "inputs", inputs, seed, lambda text: print(text, flush=True))
        return fuzzed, escape(build(folder / "warehouse"), folder / "canary", inputs // 4, seed)


def told(outcome: Outcome) -> str:
    """The figures."""
    lines = [f"  {name}: {count}" for name, count in sorted(outcome.ended.items())]
    lines += [f"  TROUBLE {text}" for text in outcome.troubles]
    lines += [
        f"  {table}: lost {row[0]}, doubled {row[1]}, such as {row[2]}"
        for table, row in outcome.rows.items()
        if row[0] or row[1]
    ]
    return "\n".join(
        [
            *lines,
            f"faults tried {outcome.faults.total()}, survived {outcome.survived}, rows lost {outcome.lost}, "
            f"rows doubled {outcome.doubled}; {outcome.publishes} changes published under {outcome.reads} reads; "
            f"{outcome.seconds:.0f} s",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--inputs", type=int, default=2000, help="hostile inputs of the fuzz campaign")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    outcome = campaign(args.faults, args.seed) if args.faults else None
    if outcome is not None:
        print(told(outcome), flush=True)
    fuzzed, tried = fuzz_campaign(args.inputs, args.seed) if args.inputs else (None, None)
    if fuzzed is not None and tried is not None:
        print("\n".join(f"  TROUBLE {text}" for text in [*fuzzed.troubles, *tried.escapes]))
        print(
            f"hostile inputs tried {fuzzed.inputs} ({fuzzed.calls} calls), troubles {len(fuzzed.troubles)}, slowest "
            f"{fuzzed.slowest[0]} s ({fuzzed.slowest[1]}); {fuzzed.seconds:.0f} s"
        )
        print(f"SQL escapes tried {tried.attempts}, refused {tried.refused}, succeeded {len(tried.escapes)}")
    bad = outcome is not None and (outcome.troubles or outcome.lost or outcome.doubled)
    sys.exit(bool(bad or (fuzzed and fuzzed.troubles) or (tried and tried.escapes)))


if __name__ == "__main__":
    main()
