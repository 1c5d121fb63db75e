-- question: Which sessions are not up now, and what does each end say?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, node, peer_node, peer, protocol, state, bgp_state, last_error, since,
       coalesce(other_state, 'not observed') AS other_state, other_last_error, observed_at
FROM sessions
WHERE state <> 'up' AND ($cluster = '*' OR cluster = $cluster)
ORDER BY cluster, node, peer;
