"""How long a person waits: first views and filter changes of the app in a real browser.

``python -m tests.app.timing WAREHOUSE`` serves a published warehouse (``tests.app.large`` writes a large one) and
prints seconds as JSON: ``first`` for a page opened by its address, ``filter`` for another cluster chosen on it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tests.app import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("/", "/incidents", "/sessions", "/logs", "/templates", "/groups", "/versions", "/data")


def measure(warehouse: Path) -> dict[str, dict[str, float]]:
    """Seconds until everything on the page stands, for each page; the server is warm, its answers are not."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "jobs", "--warehouse", str(warehouse), "app", "--port", str(port)]
    server = subprocess.Popen(
        words, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://localhost:{port}"
    try:
        _wait(address + "/_stcore/health")
        with browsing.browser() as browser, browsing.page(browser) as page:
            # The server imports its libraries with the first page that anybody opens.
            page.goto(address + "/explain")
            browsing.settle(page)
            return {path: _one(page, address + path) for path in PAGES}
    finally:
        server.terminate()
        server.wait(10)


def _one(page: Page, address: str) -> dict[str, float]:
    started = time.perf_counter()
    page.goto(address)
    page.wait_for_selector("h2")
    seen = time.perf_counter() - started
    page.wait_for_selector(browsing.READY)
    first = time.perf_counter() - started
    box = page.get_by_role("combobox").first
    box.click()
    box.fill("prod-1")
    option = page.get_by_role("option", name="prod-1", exact=True)
    option.wait_for()
    started = time.perf_counter()
    option.click()
    page.wait_for_url("**cluster=prod-1**", wait_until="commit")
    page.wait_for_selector(browsing.READY)
    return {"heading": round(seen, 2), "first": round(first, 2), "filter": round(time.perf_counter() - started, 2)}


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1])), indent=2))
