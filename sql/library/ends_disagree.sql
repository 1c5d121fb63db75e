-- question: Where does one end say up and the other does not?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, node, peer_node, peer, protocol, since, observed_at, other_state, other_bgp_state, other_last_error,
       other_observed_at
FROM sessions
WHERE state = 'up' AND other_state IS NOT NULL AND other_state <> 'up' AND ($cluster = '*' OR cluster = $cluster)
ORDER BY cluster, node, peer;
