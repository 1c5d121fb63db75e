"""The HTML report: one file that loads nothing, with hostile log text made inert."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from pipeline.findings.report import build_report, render
from tests.findings.cluster import Cluster
from tests.findings.published import Published
from tests.findings.test_report import CASES

VOID = {"meta", "br", "hr", "img", "link", "input", "path", "rect"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "ol", "li", "a", "section",
    "details", "summary", "pre", "code", "span", "strong", "figure", "figcaption", "svg", "desc", "g", "rect", "path",
    "text",
}  # fmt: skip


class Page(HTMLParser):
    """Collects elements and attributes, and checks that elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.stack[-1] if self.stack else "", []).append(data)


def _page(name: str) -> tuple[str, Page]:
    text = render(build_report(CASES[name](), "small"), "html")
    return text, Page(text)


@pytest.mark.parametrize("name", sorted(CASES))
def test_it_is_whole_and_loads_nothing(name: str) -> None:
    text, page = _page(name)
    assert page.stack == []
    assert {tag for tag, _ in page.tags} <= KNOWN
    for tag, attributes in page.tags:
        assert not [
            key for key in attributes if key.startswith("on") or key in ("src", "style", "action", "xlink:href")
        ]
        assert attributes.get("href", "#").startswith("#"), tag
    assert "url(" not in text
    assert "@import" not in text
    style = "".join(page.texts["style"])
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-" + digest)
    assert "unsafe" not in policy
    assert not re.search(r"https?://", re.sub(r"<code>.*?</code>", "", text))


def test_the_founding_case_has_its_pictures() -> None:
    text, page = _page("founding")
    pictures = [a for tag, a in page.tags if tag == "svg"]
    assert [a["class"] for a in pictures] == ["timeline", "sizes"]
    names = {a["id"] for tag, a in page.tags if tag in ("title", "desc") and "id" in a}
    for picture in pictures:
        assert picture["role"] == "img"
        assert set(picture["aria-labelledby"].split()) <= names
    assert "150/155 (150)" in text
    assert "155 peers have a password, but only 150 keys fit" in text
    assert "sysctl -w net.core.optmem_max=131072" in text
    ids = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:] for tag, a in page.tags if tag == "a"} <= ids


def test_light_and_dark_and_every_severity_in_words() -> None:
    text, page = _page("planned")
    assert "prefers-color-scheme:dark" in text
    assert "info" in page.texts["text"]


def test_no_incident() -> None:
    text, page = _page("healthy")
    assert "No incident was found." in text
    assert [a["class"] for tag, a in page.tags if tag == "svg"] == ["sizes"]


HOSTILE = (
    "evil \x1b[31m \u202e </code></section><script>alert(1)</script><img src=x onerror=alert(1)> \" ' & "
    "<style>*{}</style> <svg onload=alert(1)> http://evil.example/x Too many open files \x00"
)


def test_log_text_is_inert() -> None:
    cluster = Cluster()
    cluster.record("n-1", 300, HOSTILE, "resource_exhaustion")
    name = '<b onclick="x">"n-9"</b>'
    cluster.record(name, 300, HOSTILE, "resource_exhaustion")
    cluster.reflectors[0] = name
    text = render(build_report(Published(cluster.analysis())), "html")
    page = Page(text)
    assert page.stack == []
    assert {tag for tag, _ in page.tags} <= KNOWN
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]
    assert not any(char in text for char in "\x1b\x00\u202e")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert len([1 for tag, _ in page.tags if tag == "style"]) == 1
