"""A headless Chromium of the system, for tests and screenshots."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
READY = "[data-testid=stApp][data-test-script-state=notRunning]"


def missing() -> str | None:
    """Why there can be no browser here; None when there can."""
    if chromium() is None:
        return "no chromium: apt install chromium"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed: uv pip install playwright"
    return None


def chromium() -> str | None:
    """Path of the system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver, tempfile.TemporaryDirectory() as home:
        launched = driver.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS, env={"HOME": home})
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def page(opened: Browser, width: int = 1280, height: int = 900, **options: Any) -> Iterator[Page]:
    """A page in a context of its own: nothing is shared with others."""
    settings = {"locale": "en-US", "timezone_id": "America/New_York", "accept_downloads": True, **options}
    context = opened.new_context(viewport={"width": width, "height": height}, **settings)
    try:
        shown = context.new_page()
        shown.set_default_timeout(30_000)
        yield shown
    finally:
        context.close()


def settle(shown: Page) -> None:
    """Wait until the page has said all it has to say."""
    shown.wait_for_selector("h2")
    shown.wait_for_selector(READY)
    # A run that has just been asked for begins within a tick; then its elements arrive.
    shown.wait_for_timeout(250)
    shown.wait_for_selector(READY)
    shown.wait_for_function("() => !document.querySelector('[data-stale=true]')")
