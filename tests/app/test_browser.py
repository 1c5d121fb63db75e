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
from tests.app.conftest import HOSTILE

if browsing.missing() is None:
    from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.app.browsing import Browsing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browsing.missing() is not None, reason=str(browsing.missing())),
]
Open = Callable[..., "AbstractContextManager[Page]"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browsing]:
    with browsing.browser() as opened:
        yield opened


@pytest.fixture
def visit(chromium: Browsing, server: str) -> Open:
    """Opens an address of the app; every request must stay on this machine, and nothing may break."""

    @contextmanager
    def opened(address: str, **options: Any) -> Iterator[Page]:
        asked: list[str] = []
        broken: list[str] = []
        with chromium.page(**options) as page:
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


def main(page: Page) -> Locator:
    """What the page shows beside the filters."""
    return page.get_by_test_id("stMain")


def said(page: Page, text: str | re.Pattern[str]) -> None:
    """Wait until the page says so."""
    expect(main(page)).to_contain_text(text)


def address(page: Page, **wanted: str) -> None:
    """Wait until the address says so, then until the page stands still."""
    for name, value in wanted.items():
        expect(page).to_have_url(re.compile(rf"[?&]{name}={re.escape(quote(value, safe=''))}(&|$)"))
    browsing.settle(page)


def choose(page: Page, label: str, value: str) -> None:
    """Choose in a select box by typing, as with a keyboard."""
    box = page.get_by_role("combobox", name=re.compile(label))
    box.click()
    box.fill(value)
    page.get_by_role("option", name=value, exact=True).click()


def select_row(page: Page) -> None:
    """Select the first row of the first table."""
    page.get_by_test_id("stDataFrame").first.click(position={"x": 17, "y": 54})


def test_from_the_overview_to_the_remedy(visit: Open) -> None:
    with visit("/") as page:
        page.get_by_role("link", name=re.compile("no room for more TCP-MD5 keys")).first.click()
        said(page, "What to do")
        said(page, "sysctl -w net.core.optmem_max=131072")
        browsing.settle(page)
        assert "incident" in parameters(page)
        page.get_by_text("The two ends do not use the same TCP-MD5 password").click()
        said(page, "an end says that its own kernel refused the key")


def test_a_link_reproduces_the_view(visit: Open, founding: str, snapshot: Snapshot) -> None:
    asked = f"SELECT started_at FROM incidents WHERE incident_id = '{founding}'"
    there = snapshot.frame(asked).item().astimezone(ZoneInfo("Asia/Shanghai"))
    with visit(f"/incidents?incident={founding}&tz=Asia%2FShanghai") as page:
        said(page, there.strftime("%Y-%m-%d %H:%M:%S"))
        said(page, "155 peers have a password")
    with visit("/sessions?in=md5-key-limit-grown&node=node-161&peer=10.128.122.2&cluster=md5-key-limit-grown") as page:
        said(page, "Kernel MD5 auth failed")
        said(page, "no error named")


def test_filters_go_into_the_address_and_along_to_other_pages(visit: Open) -> None:
    with visit("/") as page:
        choose(page, "Cluster", "port-dropped")
        address(page, cluster="port-dropped")
        expect(main(page).get_by_text("md5-key-limit-grown")).to_have_count(0)
        page.get_by_role("link", name="Log explorer").click()
        expect(page.get_by_label("Text in the record")).to_be_visible()
        address(page, cluster="port-dropped")
        page.reload()
        expect(page.get_by_label("Text in the record")).to_be_visible()
        address(page, cluster="port-dropped")


def test_clicking_a_value_filters_and_a_row_opens_the_record(visit: Open) -> None:
    with visit("/logs?cluster=md5-key-limit-grown") as page:
        page.get_by_role("button", name=re.compile("^kernel refused MD5 key")).click()
        address(page, f_category="md5_kernel_setup_failed")
        select_row(page)
        expect(page.get_by_role("heading", name="Record", exact=True)).to_be_visible()
        said(page, "▶")


def test_dragging_over_a_picture_sets_the_range(visit: Open, snapshot: Snapshot) -> None:
    asked = "SELECT min(started_at), max(ended_at) FROM coverage WHERE cluster = 'md5-key-limit-grown'"
    first, last = snapshot.frame(asked).row(0)
    with visit("/?cluster=md5-key-limit-grown") as page:
        drag(page, page.get_by_test_id("stVegaLiteChart").first, 0.5, 0.7)
        address(page, range="absolute")
        start, end = (datetime.fromisoformat(parameters(page)[name][0]) for name in ("from", "to"))
        assert first < start < end < last
        # A fifth of the picture, whose axis takes a part of its width.
        assert 0.15 < (end - start) / (last - first) < 0.35


def test_clicking_a_field_of_the_map_narrows_to_its_node(visit: Open) -> None:
    with visit("/sessions?cluster=md5-key-limit-grown") as page:
        picture = page.get_by_test_id("stVegaLiteChart").first
        picture.locator("canvas").first.wait_for()
        browsing.settle(page)
        box = picture.bounding_box()
        assert box is not None
        # A third of the width lies right of the names, half the height between legend and axis.
        page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
        expect(page).to_have_url(re.compile(r"[?&]q=[\w-]+"))
        browsing.settle(page)
        assert parameters(page)["cluster"] == ["md5-key-limit-grown"]
        expect(page.get_by_role("textbox", name="Search", exact=True)).to_have_value(parameters(page)["q"][0])


def test_a_value_can_be_excluded(visit: Open) -> None:
    with visit("/logs?cluster=md5-key-limit-grown") as page:
        before = page.get_by_role("tab", name=re.compile("^Records")).inner_text()
        page.get_by_role("button", name="Without this component").click()
        choose(page, "Without this component", "birdcl")
        address(page, x_component="birdcl")
        expect(page.get_by_role("dialog", name="Without this component (1)")).to_be_visible()
        expect(main(page).get_by_text(before, exact=True)).to_have_count(0)


def drag(page: Page, picture: Locator, start: float, end: float) -> None:
    """Drag over a picture from one part of its width to another."""
    picture.scroll_into_view_if_needed()
    picture.locator("canvas").first.wait_for()
    browsing.settle(page)
    box = picture.bounding_box()
    assert box is not None
    across, down = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(across + box["width"] * start, down)
    page.mouse.down()
    page.mouse.move(across + box["width"] * (start + end) / 2, down, steps=5)
    page.mouse.move(across + box["width"] * end, down, steps=5)
    page.mouse.up()


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


def test_tables_have_one_way_to_export(visit: Open) -> None:
    """The one of Streamlit's own toolbar would write formulas as they are, and only the rows that are shown."""
    with visit("/logs?cluster=hostile") as page:
        page.get_by_test_id("stDataFrame").first.hover()
        expect(page.get_by_role("button", name="Fullscreen").last).to_be_visible()
        expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)


def test_an_incident_leads_to_its_sessions_and_lines(visit: Open, founding: str) -> None:
    with visit(f"/incidents?incident={founding}&losses=1") as page:
        page.get_by_test_id("stDataFrame").nth(1).click(position={"x": 17, "y": 54})
        said(page, "▶")
        page.get_by_role("link", name=re.compile("Both ends of")).click()
        expect(page.locator("h2")).to_have_text(re.compile("node-161 ↔ rr-a-1"))
        said(page, "Kernel MD5 auth failed")


def test_cells_of_the_chinese_interface(visit: Open) -> None:
    with visit("/logs?lang=zh&cluster=md5-key-limit-grown") as page:
        page.get_by_role("button", name=re.compile("^内核拒绝设置 MD5 密钥")).click()
        address(page, f_category="md5_kernel_setup_failed")


@pytest.mark.parametrize("statement", ["DROP TABLE incidents", "SELECT * FROM read_text('/etc/passwd')"])
def test_the_console_refuses(visit: Open, statement: str) -> None:
    with visit("/sql") as page:
        page.get_by_role("textbox", name="Statement").fill(statement)
        page.keyboard.press("Control+Enter")
        said(page, "This could not be read")
        expect(main(page)).not_to_contain_text("root:")


def test_the_sql_behind_a_table_opens_in_the_console(visit: Open) -> None:
    with visit("/incidents?cluster=port-dropped") as page:
        page.get_by_text("As a table").click()
        page.get_by_role("button", name=re.compile("SQL")).first.click()
        page.get_by_role("link", name="Open in the console").first.click()
        expect(page.get_by_role("textbox", name="Statement")).to_have_value(re.compile("cluster = 'port-dropped'"))
        said(page, "1 row in")


@pytest.mark.parametrize("address", ["/", "/logs", "/templates", "/sessions", "/data", "/explain", "/sql"])
def test_hostile_text_does_nothing(visit: Open, address: str) -> None:
    statement = quote("SELECT message, {'a': message} AS nested FROM log_events WHERE cluster = 'hostile'")
    with visit(f"{address}?cluster=hostile" + (f"&sql={statement}" if address == "/sql" else "")) as page:
        if address == "/sql":
            said(page, f"{len(HOSTILE)} rows")
        if address == "/explain":
            page.get_by_role("textbox", name="Lines").fill("\n".join(f"bird: {text}" for text in HOSTILE))
            page.keyboard.press("Control+Enter")
            said(page, "window.harmed")
        if address == "/logs":
            select_row(page)
            expect(page.get_by_role("heading", name="Record", exact=True)).to_be_visible()
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
        expect(page.locator("h2")).to_have_text("概览")
        expect(page.get_by_role("link", name="事件", exact=True)).to_have_count(1)
    with visit("/?lang=zh") as page:
        expect(page.locator("h2")).to_have_text("概览")
        page.get_by_text("语言与时区").click()
        browsing.settle(page)
        choose(page, "语言", "English")
        expect(page.locator("h2")).to_have_text("Overview")


def brightness(page: Page) -> float:
    colour = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def test_light_and_dark(visit: Open) -> None:
    with visit("/", color_scheme="light") as page:
        assert brightness(page) > 200
    with visit("/", color_scheme="dark") as page:
        assert brightness(page) < 60


def test_the_keyboard_reaches_what_a_mouse_reaches(visit: Open) -> None:
    with visit("/?cluster=port-dropped") as page:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('a')?.href?.includes('incident=') ?? false"):
                break
        page.keyboard.press("Enter")
        said(page, "What to do")


NARROW = ["/", "/incidents", "/sessions", "/groups", "/versions", "/templates", "/logs", "/sql"]


@pytest.mark.parametrize("address", NARROW)
def test_a_narrow_screen(visit: Open, address: str) -> None:
    with visit(address, width=390, height=844) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        expect(page.locator("h2").first).to_be_visible()
        # Titles that lead somewhere are read to their end.
        cut = "[...document.querySelectorAll('[data-testid=stPageLink] p')].filter(p => p.scrollWidth > p.clientWidth + 1)"
        assert page.evaluate(f"{cut}.map(p => p.textContent)") == []


@pytest.mark.parametrize(
    "address",
    ["/", "/incidents", "/sessions", "/logs", "/templates", "/groups", "/versions", "/sql", "/explain", "/data"],
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(visit: Open, address: str, scheme: str, founding: str) -> None:
    """No serious finding of axe in what this app draws."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    target = f"{address}?incident={founding}" if address == "/incidents" else address
    with visit(target, color_scheme=scheme) as page:
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = {
            (item["id"], node["target"][0]): node["failureSummary"]
            for item in found
            if item["impact"] in ("serious", "critical")
            for node in item["nodes"]
        }
        assert serious == {}
