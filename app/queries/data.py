"""What was read, what was refused, and what nobody collected."""

from __future__ import annotations

from app.queries.base import Query, Scope


def ledger(scope: Scope) -> Query:
    """Totals of all loads, and whether every line is accounted for."""
    where, values = scope.where()
    return Query(
        f"""
SELECT count(*) AS loads, CAST(sum(files_read) AS BIGINT) AS files_read, CAST(sum(bytes_read) AS BIGINT) AS bytes_read,
       CAST(sum(lines_read) AS BIGINT) AS lines_read, CAST(sum(lines_parsed) AS BIGINT) AS lines_parsed,
       CAST(sum(lines_unparsed) AS BIGINT) AS lines_unparsed, CAST(sum(lines_rejected) AS BIGINT) AS lines_rejected,
       (SELECT CAST(coalesce(sum(events), 0) AS BIGINT) FROM event_counts {where}) AS counted,
         max(finished_at) AS last_at
FROM loads {where}""",
        values,
    )


def loads(scope: Scope) -> Query:
    """Runs, the newest first."""
    where, values = scope.where()
    return Query(
        f"""
SELECT finished_at, cluster, files_read, files_known, lines_read, lines_parsed, lines_unparsed, lines_rejected,
  bytes_read,
       engine, peerscope_version, ruleset_version, started_at, load_id
FROM loads {where}""",
        values,
        order="load_id DESC",
    )


def sources(scope: Scope) -> Query:
    """Files read."""
    where, values = scope.where(time="first_ts", until="last_ts", member="node", search=("node", "pod", "source_path"))
    return Query(
        f"""
SELECT source_path, kind, node, pod, lines_read, lines_parsed, lines_unparsed, lines_rejected, first_ts, last_ts,
  bytes_read,
       cluster, load_id
FROM sources {where}""",
        values,
        order="load_id DESC, source_path",
    )


def rejected(scope: Scope) -> Query:
    """Input that was refused, by reason."""
    where, values = scope.where(search=("source_path",))
    return Query(
        f"""
SELECT reason, count(*) AS times, CAST(sum(lines) AS BIGINT) AS lines, any_value(source_path) AS source_path,
  any_value(detail) AS detail
FROM rejects {where} GROUP BY reason ORDER BY times DESC, reason""",
        values,
    )


def unknown(scope: Scope) -> Query:
    """What no rule knows: the most frequent templates of unclassified lines."""
    where, values = scope.where(time="minute", member="node", search=("node",), more=["category = 'unclassified'"])
    return Query(
        f"""
SELECT t.template, CAST(c.events AS BIGINT) AS events, t.component, t.example, c.template_id
FROM (SELECT template_id, sum(events) AS events FROM event_counts {where} GROUP BY template_id) AS c
LEFT JOIN templates AS t ON t.template_id = c.template_id""",
        values,
        order="c.events DESC, c.template_id",
    )


def coverage(scope: Scope) -> Query:
    """For each cluster and component: nodes observed, how long, until when."""
    where, values = scope.where(time="started_at", until="ended_at", member="node", search=("node",))
    return Query(
        f"""
SELECT cluster, component, count(DISTINCT node) AS nodes, min(started_at) AS first_at, max(ended_at) AS last_at,
       round(sum(date_part('epoch', ended_at - started_at)) / 3600, 2) AS observed_hours
FROM coverage {where} GROUP BY cluster, component ORDER BY cluster, component""",
        values,
    )


def unseen(scope: Scope) -> Query:
    """Nodes known from the inventory of which no log of a BGP daemon was collected."""
    where, values = scope.where(cluster="n.cluster", member="n.node")
    values = dict(values)
    if scope.search:
        where += (" AND " if where else "WHERE ") + "contains(lower(n.node), $search)"
        values["search"] = scope.search.lower()
    return Query(
        f"""
SELECT n.cluster, n.node, any_value(n.is_reflector) AS is_reflector,
       string_agg(DISTINCT c.component, ', ' ORDER BY c.component) AS seen
FROM nodes AS n LEFT JOIN coverage AS c ON c.cluster = n.cluster AND c.node = n.node
{where}
GROUP BY n.cluster, n.node
HAVING count(*) FILTER (c.component IN ('bird', 'bird6', 'birdcl', 'calicoctl')) = 0""",
        values,
        order="is_reflector DESC NULLS LAST, n.cluster, n.node",
    )
