"""Entry of the app: who may see it, which snapshot, the shared filters, and the pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import access, filters, show, store, times
from app.queries import overview
from app.texts import t
from pipeline.errors import NotPublishedError, PeerscopeError

ICONS = {
    "overview": "dashboard",
    "incidents": "emergency",
    "sessions": "sync_alt",
    "logs": "notes",
    "templates": "segment",
    "groups": "hub",
    "versions": "deployed_code_history",
    "sql": "terminal",
    "explain": "search_insights",
    "data": "inventory_2",
}
NEWER_SECONDS = 60
STYLE = Path(__file__).with_name("style.css")
ICON = Path(__file__).with_name("icon.png")


def main() -> None:
    """One run of the script."""
    st.set_page_config(page_title="peerscope", page_icon=str(ICON), layout="wide")
    st.html(STYLE)
    filters.language_first()
    # No sections: Streamlit's markup for them is no list that a screen reader can count.
    pages = [
        st.Page(path, title=t(f"{name}.title"), icon=f":material/{ICONS[name]}:", default=name == "overview")
        for name, path in show.PAGES.items()
    ]
    if not access.allowed():
        return
    page = st.navigation(pages, expanded=True)
    try:
        store.snapshot()
        st.session_state["scope"] = filters.sidebar()
        _newer()
    except NotPublishedError as exc:
        _nothing_yet(str(exc))
        return
    except PeerscopeError as exc:
        st.error(t("state.warehouse"), icon=":material/error:")
        show.log_text(str(exc))
        return
    access.who()
    with show.failures():
        page.run()


def _nothing_yet(reason: str) -> None:
    st.header(t("state.unpublished"), anchor=False)
    show.log_text(reason)
    st.write(t("state.unpublished_do"))
    st.code("peerscope demo\npeerscope run --cluster prod PATH...", language=None)


@st.fragment(run_every=NEWER_SECONDS)
def _newer_notice() -> None:
    number = store.newer()
    if number is None:
        return
    st.info(t("state.newer", number=number), icon=":material/fiber_new:")
    if st.button(t("state.take_newer"), key="take_newer"):
        store.take_newest()
        st.rerun()


def _newer() -> None:
    with st.sidebar:
        published = store.one(overview.freshness())
        st.caption(t("state.snapshot", number=published["snapshot"], at=times.shown(published["published_at"])))
        _newer_notice()


# Streamlit runs this file under that name. A process that is started from one that has run it (multiprocessing) reads
# it again under another, and must not draw.
if __name__ == "__main__":
    main()
