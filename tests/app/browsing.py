"""A headless Chromium of the system, for tests and screenshots."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000
"""A machine with other work takes its time; a page that is right is never slow because of this."""

QUIET_MS = 300
"""A page that has not changed for so long, with nothing under way, has said all it has to say."""

# Before anything of the page runs: note every change of it, and let nothing fade or slide, because what is half
# faded in has neither its colours nor its place.
WATCH = """
window.changedAt = performance.now();
new MutationObserver(() => { window.changedAt = performance.now(); })
  .observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
document.addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style');
  style.textContent = '*, *::before, *::after { transition: none !important; animation: none !important; }';
  document.head.append(style);
});
"""
SETTLED = """
quiet => {
  const app = document.querySelector('[data-testid=stApp]');
  return app !== null
    && app.dataset.testConnectionState === 'CONNECTED' && app.dataset.testScriptState === 'notRunning'
    && document.querySelector('h2') !== null
    && document.querySelector('[data-stale=true], [data-testid=stSkeleton], [data-testid=stSpinner]') === null
    && document.getAnimations().every(each => each.playState !== 'running')
    && performance.now() - window.changedAt > quiet;
}
"""


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


class Browsing:
    """A browser, and one context for each language and zone: pages of a context share what was downloaded."""

    def __init__(self, launched: Browser) -> None:
        self._launched = launched
        self._contexts: dict[tuple[str, str], BrowserContext] = {}

    @contextmanager
    def page(
        self,
        width: int = 1280,
        height: int = 900,
        *,
        locale: str = "en-US",
        timezone_id: str = "America/New_York",
        color_scheme: Literal["light", "dark"] = "light",
    ) -> Iterator[Page]:
        """A page of its own; the app knows it as a session of its own."""
        shown = self._context(locale, timezone_id).new_page()
        try:
            shown.set_viewport_size({"width": width, "height": height})
            shown.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")
            yield shown
        finally:
            shown.close()

    def _context(self, locale: str, timezone_id: str) -> BrowserContext:
        if (locale, timezone_id) not in self._contexts:
            made = self._launched.new_context(locale=locale, timezone_id=timezone_id, accept_downloads=True)
            made.set_default_timeout(PATIENCE_MS)
            made.add_init_script(WATCH)
            self._contexts[locale, timezone_id] = made
        return self._contexts[locale, timezone_id]


@contextmanager
def browser() -> Iterator[Browsing]:
    """A browser with a profile of its own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as home:
        launched = driver.chromium.launch(executable_path=chromium(), headless=True, args=FLAGS, env={"HOME": home})
        try:
            yield Browsing(launched)
        finally:
            launched.close()


def settle(shown: Page, quiet: int = QUIET_MS) -> None:
    """Wait until the page stands still.

    Between a click and the server's first word the page stands still too: what a click should bring is to be
    expected (``expect(...)``) before.
    """
    shown.wait_for_function(SETTLED, arg=quiet, polling=50)
