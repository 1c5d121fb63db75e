"""Colours: distinguishable with any colour vision, in the light and in the dark; never the only sign of a thing."""

from __future__ import annotations

import streamlit as st

HEALTH = {"up": "#0072B2", "failing": "#D55E00", "unknown": "#8A8A8A"}
"""Okabe and Ito's blue and vermillion, and grey: they differ in lightness as well as in hue."""

SERIES = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8A8A8A", "#B8A000"]
"""Okabe and Ito's colours for kinds without an order."""

SEVERITY_BADGE = {"critical": "red", "error": "orange", "warning": "yellow", "info": "blue"}
SEVERITY_ICON = {
    "critical": ":material/emergency_home:",
    "error": ":material/error:",
    "warning": ":material/warning:",
    "info": ":material/info:",
}
HEALTH_ICON = {"up": ":material/check_circle:", "failing": ":material/cancel:", "unknown": ":material/help:"}


def dark() -> bool:
    """Whether this session shows the dark theme."""
    return st.context.theme.type == "dark"


def line() -> str:
    """Colour of marks that carry no meaning of their own."""
    return "#DDDDDD" if dark() else "#333333"
