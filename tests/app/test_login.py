"""Who may see the app when a login is configured: the list, and the whole way through a provider in a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import access
from tests.app import browsing
from tests.app.conftest import MAIN
from tests.app.provider import CLIENT, SECRET, provider
from tests.app.serving import free_port, serve

if browsing.missing() is None:
    from playwright.sync_api import expect

ALLOW = ["ann@example.org", "@corp.example"]


class User:
    """Stands for ``st.user``."""

    def __init__(self, claims: Mapping[str, Any] | None) -> None:
        self.is_logged_in = claims is not None
        self._claims = dict(claims or {})

    def to_dict(self) -> dict[str, Any]:
        return self._claims

    def get(self, name: str) -> Any:
        return self._claims.get(name)


def shown(
    monkeypatch: pytest.MonkeyPatch,
    warehouse: Path,
    claims: Mapping[str, Any] | None,
    allow: list[str] | None,
    needed: tuple[str, ...] = (),
) -> AppTest:
    """The overview as this user gets it."""
    held: dict[str, Any] = {"auth": {}} | ({} if allow is None else {"peerscope": {"allow": allow}})
    monkeypatch.setenv("PEERSCOPE_WAREHOUSE", str(warehouse))
    monkeypatch.setattr(access, "_secrets", lambda: held)
    monkeypatch.setattr(st, "user", User(claims))
    monkeypatch.setattr(access, "NEEDED", needed)
    return AppTest.from_file(str(MAIN), default_timeout=60).run()


def test_a_server_that_cannot_log_anybody_in_says_why(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shown(monkeypatch, warehouse, None, ALLOW, needed=("no_such_package",))
    assert "no_such_package" in at.error[0].value
    assert not at.button
    assert not at.metric


def test_before_the_login_nothing_is_shown(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = shown(monkeypatch, warehouse, None, ALLOW)
    assert [button.label for button in at.button] == ["Log in"]
    assert not at.metric
    assert not at.sidebar.selectbox


@pytest.mark.parametrize(
    ("claims", "allow"),
    [({"email": "eve@example.org"}, ALLOW), ({"email": "ann@example.org"}, None), ({"email": "ann@example.org"}, []),
     ({"email": "ann@example.org", "email_verified": False}, ALLOW), ({"name": "ann@example.org"}, ALLOW)],
)  # fmt: skip
def test_who_is_not_listed_sees_nothing(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], allow: list[str] | None
) -> None:
    at = shown(monkeypatch, warehouse, claims, allow)
    assert len(at.error) == 1
    assert [button.label for button in at.button] == ["Log out"]
    assert not at.metric
    assert not at.sidebar.selectbox


@pytest.mark.parametrize("address", ["ann@example.org", "bob@corp.example"])
def test_who_is_listed_sees_the_app(warehouse: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    at = shown(monkeypatch, warehouse, {"email": address}, ALLOW)
    assert not at.error
    assert at.metric
    assert address in [text.value for text in at.sidebar.text]


@contextmanager
def guarded(warehouse: Path, folder: Path, issuer: str) -> Iterator[str]:
    """The app with a login at the provider, as it is configured in a file."""
    port = free_port()
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(
        f"""
[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "only for this test"
client_id = "{CLIENT}"
client_secret = "{SECRET}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"

[peerscope]
allow = ["ann@example.org"]
""",
        encoding="utf-8",
    )
    with serve(warehouse, {"HOME": str(folder)}, folder, port) as running:
        yield running.address


@pytest.mark.browser
@pytest.mark.skipif(browsing.missing() is not None, reason=str(browsing.missing()))
def test_the_whole_way_through_a_provider(warehouse: Path, tmp_path: Path) -> None:
    for name in access.NEEDED:
        pytest.importorskip(name)
    with (
        provider() as oidc,
        guarded(warehouse, tmp_path, oidc.issuer) as address,
        browsing.browser() as browser,
        browser.page() as page,
    ):
        oidc.claims = {"email": "eve@example.org", "email_verified": True}
        page.goto(address + "/logs")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_test_id("stMain")).to_contain_text("is not on the list")
        expect(page.get_by_role("link", name="Log explorer")).to_have_count(0)
        page.get_by_role("button", name="Log out").click()
        oidc.claims = {"email": "ann@example.org", "email_verified": True}
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
        expect(page.get_by_test_id("stSidebar")).to_contain_text("ann@example.org")
