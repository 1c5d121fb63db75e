-- question: Which sessions went down and came back most often?
-- parameters:
--   cluster text * only this cluster (* for all)
--   least integer 3 least number of times it went down
SELECT cluster, node, protocol, peer, peer_node, count(*) AS downs, min(started_at) AS first_down, max(started_at) AS last_down,
       mode(category) AS usual_category
FROM session_intervals
WHERE state NOT IN ('up', 'unknown') AND ended_at IS NOT NULL AND ($cluster = '*' OR cluster = $cluster)
GROUP BY cluster, node, protocol, peer, peer_node
HAVING count(*) >= $least
ORDER BY downs DESC, cluster, node, peer;
