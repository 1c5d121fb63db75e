"""The pictures of the README: ``python -m tests.app.screenshots`` takes them from the demo's warehouse.

Needs chromium and playwright. Writes ``docs/images/*.png``, with at most 256 colours so that they stay small.
``--warehouse DIR`` takes another published warehouse that holds the founding case.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.warehouse.reader import open_snapshot
from tests.app import browsing
from tests.app.serving import ROOT, serve

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 150_000


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", type=Path)
    given = parser.parse_args()
    if reason := browsing.missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as scratch:
        warehouse = given.warehouse or Path(scratch) / "warehouse"
        if given.warehouse is None:
            subprocess.run([sys.executable, "-m", "jobs", "--warehouse", str(warehouse), "demo"], cwd=ROOT, check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
        take(warehouse)


def take(warehouse: Path) -> None:
    """Serve the warehouse and take the pictures."""
    with open_snapshot(warehouse) as snapshot:
        founding = snapshot.frame(
            "SELECT incident_id FROM incidents WHERE cluster = 'md5-key-limit-grown' AND cause = 'md5_key_limit'"
        ).item()
    pictures: dict[str, tuple[str, dict[str, Any]]] = {
        "app-overview": ("/", {}),
        "app-overview-zh": ("/?lang=zh&tz=Asia/Shanghai", {}),
        "app-incident": (f"/incidents?incident={founding}", {}),
        "app-incident-zh-dark": (f"/incidents?incident={founding}&lang=zh&tz=Asia/Shanghai", {"color_scheme": "dark"}),
        "app-session": (
            "/sessions?in=md5-key-limit-grown&node=node-161&peer=10.128.122.2&cluster=md5-key-limit-grown",
            {},
        ),
        "app-groups": ("/groups?cluster=md5-key-limit-grown", {}),
        "app-sql": ("/sql?mode=saved&question=md5_headroom", {"color_scheme": "dark"}),
    }
    IMAGES.mkdir(parents=True, exist_ok=True)
    with serve(warehouse) as server, browsing.browser() as browser:
        for name, (address, options) in pictures.items():
            with browser.page(**{"height": 960, "timezone_id": "UTC", **options}) as page:
                page.goto(server.address + address)
                # Tables and pictures are drawn on canvases, which do not tell when they are done.
                browsing.settle(page, quiet=1500)
                page.screenshot(path=IMAGES / f"{name}.png")
            print(f"{name}.png {_shrink(IMAGES / f'{name}.png'):,} bytes")


def _shrink(path: Path) -> int:
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST_BYTES, f"{path.name}: {size} bytes"
    return size


if __name__ == "__main__":
    main()
