-- question: Do sessions fail more often in larger groups (crude, per observed session-hour)?
-- parameters:
--   cluster text * only this cluster (* for all)
--   category text * only this category (* for all)
--   step integer 50 width of a size class in peers
SELECT category, (configured_peers // $step) * $step AS peers_from, (configured_peers // $step + 1) * $step - 1 AS peers_to,
       count(DISTINCT (cluster, group_name)) AS groups, sum(failures) AS failures,
       round(sum(session_hours), 2) AS session_hours, round(sum(failures) / sum(session_hours), 6) AS failures_per_session_hour
FROM failure_rates
WHERE ($cluster = '*' OR cluster = $cluster) AND ($category = '*' OR category = $category)
GROUP BY category, peers_from, peers_to
ORDER BY category, peers_from NULLS LAST;
