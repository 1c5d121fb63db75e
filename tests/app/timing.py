"""How long a person waits: first views and filter changes of the app in a real browser.

``python -m tests.app.timing`` writes a large warehouse (``tests.app.large``: 10 million records of 1,000 nodes) into a
scratch folder, serves it and prints for each page, as JSON, seconds on the clock and of CPU time:

``first``   a page opened by its address, until nothing on it changes any more
``filter``  another cluster chosen on it, until nothing on it changes any more

The server is warm, its answers are not. ``--warehouse DIR`` measures another published warehouse (``--cluster`` names
what to choose there), ``--repeat N`` takes the median of N servers, ``--check`` ends with 1 where a limit is not kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.app import browsing, large
from tests.app.serving import Server, serve

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

PAGES = ("/", "/incidents", "/sessions", "/logs", "/templates", "/groups", "/versions", "/data")
LIMITS = {"first": 1.5, "filter": 0.7}
"""Seconds that a person is asked to wait at most, on two cores that have nothing else to do."""

Times = dict[str, dict[str, float]]


def measure_large(records: int = large.RECORDS, repeat: int = 1) -> Times:
    """``measure`` over a large warehouse that is made for it and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="peerscope-timing-") as scratch:
        large.write(Path(scratch), records=records)
        return measure(Path(scratch), repeat=repeat)


def measure(warehouse: Path, cluster: str = "prod-1", repeat: int = 1) -> Times:
    """Seconds for each page: first, filter, and of each the CPU seconds of the server and of the page's script."""
    runs = [_run(warehouse, cluster) for _ in range(repeat)]
    return {
        page: {name: round(statistics.median(run[page][name] for run in runs), 2) for name in runs[0][page]}
        for page in runs[0]
    }


def over_limits(found: Times) -> list[str]:
    """What took longer than it may, in words."""
    return [
        f"{page}: {name} {times[name]:.2f} s, at most {most:g} s"
        for page, times in found.items()
        for name, most in LIMITS.items()
        if times[name] > most
    ]


def _run(warehouse: Path, cluster: str) -> Times:
    with serve(warehouse) as server, browsing.browser() as browser, browser.page() as page:
        # The browser fetches and compiles the scripts of the app with the first page that it opens.
        page.goto(server.address + "/explain")
        browsing.settle(page)
        return {path: _one(server, page, path, cluster) for path in PAGES}


def _one(server: Server, page: Page, path: str, cluster: str) -> dict[str, float]:
    counter = page.context.new_cdp_session(page)
    counter.send("Performance.enable", {"timeDomain": "threadTicks"})
    used, drawn = server.cpu_seconds(), _drawing(counter)
    page.goto(server.address + path)
    browsing.settle(page)
    times = {
        # Both count from the moment the address was opened.
        "first": page.evaluate("window.changedAt") / 1000,
        "first_server_cpu": server.cpu_seconds() - used,
        "first_page_cpu": _drawing(counter) - drawn,
    }
    box = page.get_by_role("combobox").first
    box.click()
    box.fill(cluster)
    option = page.get_by_role("option", name=cluster, exact=True)
    option.wait_for()
    browsing.settle(page)
    used, drawn = server.cpu_seconds(), _drawing(counter)
    option.evaluate("each => each.addEventListener('click', () => { window.clickedAt = performance.now(); })")
    option.click()
    page.wait_for_url(f"**cluster={cluster}**", wait_until="commit")
    browsing.settle(page)
    times |= {
        "filter": page.evaluate("window.changedAt - window.clickedAt") / 1000,
        "filter_server_cpu": server.cpu_seconds() - used,
        "filter_page_cpu": _drawing(counter) - drawn,
    }
    counter.detach()
    return times


def _drawing(counter: CDPSession) -> float:
    """CPU seconds of the page's main thread."""
    metrics: list[dict[str, Any]] = counter.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def main() -> int:
    """Measure, print, and check when asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.app.timing", description=__doc__)
    parser.add_argument("--warehouse", type=Path, help="a published warehouse; a large one is made when not given")
    parser.add_argument("--cluster", default="prod-1", help="cluster to choose")
    parser.add_argument("--records", type=int, default=large.RECORDS, help="records of the large warehouse")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if reason := browsing.missing():
        sys.exit(reason)
    if given.warehouse is not None:
        found = measure(given.warehouse, given.cluster, given.repeat)
    else:
        found = measure_large(given.records, given.repeat)
    print(json.dumps(found, indent=2))
    slow = over_limits(found) if given.check else []
    for line in slow:
        print(line, file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
