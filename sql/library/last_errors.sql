-- question: Which last errors do sessions that are not up show, and on how many nodes?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, coalesce(last_error, 'none shown') AS last_error, bgp_state, count(*) AS ends, count(DISTINCT node) AS nodes,
       min(since) AS since
FROM sessions
WHERE state <> 'up' AND ($cluster = '*' OR cluster = $cluster)
GROUP BY ALL
ORDER BY ends DESC, last_error, bgp_state;
