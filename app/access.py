"""Who may see the app: everyone who reaches it, unless a login is configured; then those on the list.

A login is configured by ``[auth]`` in Streamlit's ``secrets.toml`` (OIDC). ``[peerscope] allow`` in the same file
lists addresses (``ann@example.org``) and domains (``@example.org``); a login without a list lets nobody in, so that
forgetting it is noticed. Behind a proxy that authenticates, leave both out and let only the proxy reach the port.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.texts import t

NEEDED = ("authlib", "httpx")
"""What Streamlit's login imports when somebody logs in."""


def allowed() -> bool:
    """Whether this session may go on; draws the login or the refusal when not."""
    secrets = _secrets()
    if "auth" not in secrets:
        return True
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        # Without them Streamlit ends the login with an error that names nothing.
        st.error(t("access.packages", names=", ".join(missing)))
        st.code("pip install 'streamlit[auth]'", language=None)
        return False
    if not st.user.is_logged_in:
        st.header("peerscope", anchor=False)
        st.write(t("access.please"))
        st.button(t("access.login"), on_click=st.login)
        return False
    if on_list(st.user.to_dict(), secrets.get("peerscope", {}).get("allow", [])):
        return True
    st.error(t("access.refused"))
    st.button(t("access.logout"), on_click=st.logout)
    return False


def who() -> None:
    """The way out, for those who logged in."""
    if "auth" in _secrets():
        with st.sidebar:
            st.text(str(st.user.get("email") or st.user.get("name") or ""))
            st.button(t("access.logout"), on_click=st.logout)


def on_list(user: Mapping[str, Any], allow: Sequence[str]) -> bool:
    """Whether the address of ``user`` is listed, itself or by its domain; an unverified address never is."""
    address = str(user.get("email") or "").strip().lower()
    # A provider that does not say whether it checked the address leaves the field out; one that says no is believed.
    if "@" not in address or user.get("email_verified") is False:
        return False
    listed = {entry.strip().lower() for entry in allow}
    return address in listed or "@" + address.rpartition("@")[2] in listed


def _secrets() -> Mapping[str, Any]:
    return st.secrets if st.secrets.load_if_toml_exists() else {}
