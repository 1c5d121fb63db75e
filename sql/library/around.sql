-- question: What was logged around a time, on one node or everywhere?
-- parameters:
--   at time none the time (none for the latest incident, else the latest record)
--   node text * only this node (* for all)
--   minutes integer 5 minutes before and after
WITH moment AS (
  SELECT coalesce(CAST($at AS TIMESTAMPTZ), (SELECT max(started_at) FROM incidents), (SELECT max(ts) FROM log_events)) AS at
)
SELECT e.ts, e.cluster, e.node, e.component, e.severity, e.category, e.protocol, e.peer, e.message, e.source_path, e.byte_offset
FROM log_events AS e, moment
WHERE e.ts BETWEEN moment.at - to_minutes($minutes) AND moment.at + to_minutes($minutes)
  AND ($node = '*' OR e.node = $node)
ORDER BY e.ts, e.cluster, e.node, e.source_path, e.byte_offset;
