-- question: What happened to the sessions between a node and a peer, seen from both ends?
-- parameters:
--   node text * node at one end (* for all)
--   peer text * node or address at the other end (* for all)
SELECT started_at, ended_at, cluster, node, protocol, peer, peer_node, state, category, how_started, how_ended
FROM session_intervals
WHERE (($node = '*' OR node = $node) AND ($peer = '*' OR $peer IN (peer, peer_node)))
   OR (($node = '*' OR $node IN (peer, peer_node)) AND ($peer = '*' OR node = $peer))
ORDER BY started_at, cluster, node, peer;
