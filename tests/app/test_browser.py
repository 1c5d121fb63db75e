"""The app as a person has it: the real command, a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit
from zoneinfo import ZoneInfo

import pytest

from pipeline.warehouse.reader import Snapshot
from tests.app import browsing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browsing.missing() is not None, reason=str(browsing.missing())),
]
Open = Callable[..., "AbstractContextManager[Page]"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing.browser() as opened:
        yield opened


@pytest.fixture
def visit(chromium: Browser, server: str) -> Open:
    """Opens an address of the app; every request must stay on this machine, and nothing may break."""

    @contextmanager
    def opened(address: str, **options: Any) -> Iterator[Page]:
        asked: list[str] = []
        broken: list[str] = []
        with browsing.page(chromium, **options) as page:
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: broken.append(str(error)))
            page.goto(server + address)
            browsing.settle(page)
            yield page
        hosts = {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
        assert hosts <= {"localhost"}
        assert broken == []

    return opened


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def choose(page: Page, label: str, value: str) -> None:
    """Choose in a select box by typing, as with a keyboard."""
    box = page.get_by_role("combobox", name=re.compile(label))
    box.click()
    box.fill(value)
    page.get_by_role("option", name=value, exact=True).click()
    browsing.settle(page)


def test_from_the_overview_to_the_remedy(visit: Open) -> None:
    with visit("/") as page:
        page.get_by_role("link", name=re.compile("no room for more TCP-MD5 keys")).first.click()
        page.wait_for_selector("text=What to do")
        browsing.settle(page)
        assert "incident" in parameters(page)
        assert "sysctl -w net.core.optmem_max=131072" in page.inner_text("[data-testid=stMain]")
        page.get_by_text("The two ends do not use the same TCP-MD5 password").click()
        page.wait_for_selector("text=an end says that its own kernel refused the key")


def test_a_link_reproduces_the_view(visit: Open, founding: str, snapshot: Snapshot) -> None:
    asked = f"SELECT started_at FROM incidents WHERE incident_id = '{founding}'"
    there = snapshot.frame(asked).item().astimezone(ZoneInfo("Asia/Shanghai"))
    with visit(f"/incidents?incident={founding}&tz=Asia%2FShanghai") as page:
        text = page.inner_text("[data-testid=stMain]")
        assert there.strftime("%Y-%m-%d %H:%M:%S") in text
        assert "155 peers have a password" in text
    with visit("/sessions?in=md5-key-limit-grown&node=node-161&peer=10.128.122.2&cluster=md5-key-limit-grown") as page:
        text = page.inner_text("[data-testid=stMain]")
        assert "Kernel MD5 auth failed" in text
        assert "no error named" in text


def test_filters_go_into_the_address_and_along_to_other_pages(visit: Open) -> None:
    with visit("/") as page:
        choose(page, "Cluster", "port-dropped")
        assert parameters(page)["cluster"] == ["port-dropped"]
        assert page.get_by_text("md5-key-limit-grown").count() == 0
        page.get_by_role("link", name="Log explorer").click()
        page.wait_for_selector("text=Text in the record")
        browsing.settle(page)
        assert parameters(page)["cluster"] == ["port-dropped"]
        page.reload()
        browsing.settle(page)
        assert parameters(page)["cluster"] == ["port-dropped"]


def test_clicking_a_value_filters_and_a_row_opens_the_record(visit: Open) -> None:
    with visit("/logs?cluster=md5-key-limit-grown") as page:
        page.get_by_role("button", name=re.compile("^md5_kernel_setup_failed")).click()
        browsing.settle(page)
        assert parameters(page)["f_category"] == ["md5_kernel_setup_failed"]
        page.get_by_test_id("stDataFrame").first.click(position={"x": 17, "y": 54})
        page.wait_for_selector("h3:has-text('Record')")
        browsing.settle(page)
        assert "▶" in page.inner_text("[data-testid=stMain]")


def test_dragging_over_a_picture_sets_the_range(visit: Open, snapshot: Snapshot) -> None:
    asked = "SELECT min(started_at), max(ended_at) FROM coverage WHERE cluster = 'md5-key-limit-grown'"
    first, last = snapshot.frame(asked).row(0)
    with visit("/?cluster=md5-key-limit-grown") as page:
        picture = page.get_by_test_id("stVegaLiteChart").first
        picture.scroll_into_view_if_needed()
        picture.locator("canvas").first.wait_for()
        page.wait_for_timeout(500)
        box = picture.bounding_box()
        assert box is not None
        across, down = box["x"], box["y"] + box["height"] / 2
        page.mouse.move(across + box["width"] * 0.5, down)
        page.mouse.down()
        page.mouse.move(across + box["width"] * 0.6, down, steps=5)
        page.mouse.move(across + box["width"] * 0.7, down, steps=5)
        page.mouse.up()
        page.wait_for_url(re.compile("range=absolute.*to="), wait_until="commit")
        start, end = (datetime.fromisoformat(parameters(page)[name][0]) for name in ("from", "to"))
        assert first < start < end < last
        # A fifth of the picture, whose axis takes a part of its width.
        assert 0.15 < (end - start) / (last - first) < 0.35


def test_export_is_guarded_against_formulas(visit: Open) -> None:
    with visit("/logs?cluster=hostile") as page:
        page.get_by_test_id("stPopover").get_by_role("button", name=re.compile("Export")).first.click()
        with page.expect_download() as waiting:
            page.get_by_role("button", name="CSV", exact=True).click()
        text = waiting.value.path().read_text(encoding="utf-8")
        assert "\"'=HYPERLINK" in text
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Parquet", exact=True).click()
        assert waiting.value.path().read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("statement", ["DROP TABLE incidents", "SELECT * FROM read_text('/etc/passwd')"])
def test_the_console_refuses(visit: Open, statement: str) -> None:
    with visit("/sql") as page:
        page.get_by_role("textbox", name="Statement").fill(statement)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("text=This could not be read")
        assert "root:" not in page.inner_text("[data-testid=stMain]")


def test_the_sql_behind_a_table_opens_in_the_console(visit: Open) -> None:
    with visit("/incidents?cluster=port-dropped") as page:
        page.get_by_text("As a table").click()
        page.get_by_role("button", name=re.compile("SQL")).first.click()
        page.get_by_role("link", name="Open in the console").first.click()
        page.wait_for_selector("text=Statement")
        browsing.settle(page)
        assert "cluster = 'port-dropped'" in page.get_by_role("textbox", name="Statement").input_value()
        assert "1 rows" in page.inner_text("[data-testid=stMain]")


@pytest.mark.parametrize("address", ["/", "/logs", "/templates", "/sessions", "/data", "/explain"])
def test_hostile_text_does_nothing(visit: Open, address: str) -> None:
    with visit(f"{address}?cluster=hostile") as page:
        if address == "/logs":
            page.get_by_test_id("stDataFrame").first.click(position={"x": 17, "y": 54})
            page.wait_for_selector("h3:has-text('Record')")
            browsing.settle(page)
        assert page.evaluate("window.harmed") is None
        assert page.locator("[data-testid=stMain] img[src=x]").count() == 0
        assert page.locator("[data-testid=stMain] a[href^=javascript]").count() == 0
        assert page.locator("a[href*='evil.example']").count() == 0


def test_an_address_cannot_carry_markup(visit: Open) -> None:
    text = quote("<img src=x onerror=window.harmed=1>[x](javascript:alert(1))")
    for name in ("template", "q", "text", "f_category", "incident", "cluster"):
        with visit(f"/logs?{name}={text}") as page:
            assert page.evaluate("window.harmed") is None
            assert page.locator("a[href^=javascript]").count() == 0


def test_both_languages(visit: Open) -> None:
    with visit("/", locale="zh-CN") as page:
        assert page.inner_text("h2") == "概览"
        assert page.get_by_role("link", name="事件", exact=True).count() == 1
    with visit("/?lang=zh") as page:
        assert page.inner_text("h2") == "概览"
        page.get_by_text("语言与时区").click()
        choose(page, "语言", "English")
        assert page.inner_text("h2") == "Overview"


def brightness(page: Page) -> float:
    colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_light_and_dark(visit: Open) -> None:
    with visit("/", color_scheme="light") as page:
        assert brightness(page) > 200
    with visit("/", color_scheme="dark") as page:
        assert brightness(page) < 60


@pytest.mark.parametrize("address", ["/", "/incidents", "/sessions", "/groups", "/logs", "/sql"])
def test_a_narrow_screen(visit: Open, address: str) -> None:
    with visit(address, width=390, height=844) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        assert page.locator("h2").first.is_visible()


@pytest.mark.parametrize(
    "address", ["/", "/incidents", "/sessions", "/logs", "/templates", "/groups", "/sql", "/explain", "/data"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(visit: Open, address: str, scheme: str, founding: str) -> None:
    """No serious finding of axe in what this app draws."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    target = f"{address}?incident={founding}" if address == "/incidents" else address
    with visit(target, color_scheme=scheme) as page:
        # what is still fading in has no contrast yet
        page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
        page.wait_for_function("() => !document.querySelector('[data-stale=\"true\"]')")
        page.wait_for_function("() => document.getAnimations().every(a => a.playState === 'finished')")
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = {
            (item["id"], node["target"][0]): node["failureSummary"]
            for item in found
            if item["impact"] in ("serious", "critical")
            for node in item["nodes"]
        }
        assert serious == {}
