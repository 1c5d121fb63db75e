"""Groups and size: how large, how they fail with size, where the next limit lies and when it is met."""

from __future__ import annotations

import streamlit as st

from app import charts, filters, forecast, linked, show, store, times
from app.queries import groups, overview
from app.queries.base import Scope
from app.safe import md
from app.texts import t, word


def render(scope: Scope) -> None:
    """The page."""
    show.title("groups")
    _limits(scope)
    _one_group(scope)
    _rates(scope)
    _thresholds(scope)
    with st.expander(t("groups.kernels"), icon=":material/memory:"):
        st.caption(t("groups.kernels_about"))
        show.table(groups.memory(scope), "groups-memory")
    with st.expander(t("groups.all"), icon=":material/hub:"):
        show.table(groups.known(scope), "groups-known", none=t("groups.none"))


def _limits(scope: Scope) -> None:
    st.subheader(t("groups.limits"), anchor=False)
    st.caption(t("groups.limits_about"))
    bar = st.column_config.ProgressColumn(t("col.used_percent"), min_value=0, max_value=100, format="%d %%")
    show.table(
        overview.limits(scope),
        "groups-limits",
        columns={"used_percent": bar},
        none=t("groups.none"),
        order=[
            "used_percent",
            "cluster",
            "group_name",
            "reflector",
            "md5_peers",
            "md5_key_limit",
            "configured",
            "established",
            "failed",
            "counted_at",
            "table_at",
        ],
    )


def _one_group(scope: Scope) -> None:
    found = store.frame(overview.limits(scope)).select("cluster", "group_name").unique(maintain_order=True).rows()
    if not found:
        return
    st.subheader(t("groups.over_time"), anchor=False)
    names = {f"{cluster} / {group}": (cluster, group) for cluster, group in found}
    name = linked.select(t("col.group_name"), list(names), "of", next(iter(names)), width=420)
    if name is None:
        return
    cluster, group = names[name]
    extent = filters.extent(Scope(cluster, start=scope.start, end=scope.end))
    if extent is None:
        show.empty(t("state.empty"))
        return
    query = groups.over_time(scope, cluster, group, times.step_for(*extent))
    counted = store.frame(query, 5000)
    if counted.is_empty():
        show.empty(t("state.empty"))
        return
    show.picture(charts.sizes(times.axis(counted)), query, "groups-time", t("groups.over_time"), brush=True)
    _history(cluster, group)
    _forecast(cluster, group)


def _history(cluster: str, group: str) -> None:
    """Who came and who left; a group that was always the same has none."""
    query = groups.history(cluster, group)
    if store.frame(query).height > 1:
        with st.expander(t("groups.history"), icon=":material/history:"):
            st.caption(t("groups.history_about"))
            show.table(query, "groups-history")


def _forecast(cluster: str, group: str) -> None:
    query = groups.forecasts(cluster, group)
    found = store.frame(query)
    st.markdown(f"**{t('groups.forecast')}** {md(forecast.words(found.row(0, named=True) if found.height else None))}")
    if found.height:
        with st.expander(t("groups.forecasts"), icon=":material/trending_up:"):
            st.caption(t("groups.forecasts_about"))
            show.table(query, "groups-forecast")


def _rates(scope: Scope) -> None:
    st.subheader(t("groups.rates"), anchor=False)
    st.caption(t("groups.rates_about"))
    known = store.frame(groups.categories(scope))["category"].to_list()
    if not known:
        show.empty(t("groups.no_rates"))
        return
    category = linked.select(
        t("col.category"),
        known,
        "kind",
        known[0],
        width=420,
        format_func=lambda name: word("category", name),
    )
    query = groups.rates_by_size(scope, category)
    found = store.frame(query)
    if found.height:
        show.plot(charts.rates(found, "peers_from", t("groups.size")), t("groups.rates"))
    show.table(query, "groups-rates", none=t("groups.no_rates"))


def _thresholds(scope: Scope) -> None:
    st.subheader(t("groups.thresholds"), anchor=False)
    st.caption(t("groups.thresholds_about"))
    show.table(groups.thresholds(scope), "groups-thresholds", none=t("groups.no_thresholds"))
    st.subheader(t("groups.effects"), anchor=False)
    st.caption(t("groups.effects_about"))
    show.table(groups.effects(scope, "size"), "groups-effects", none=t("groups.no_effects"))


render(st.session_state["scope"])
