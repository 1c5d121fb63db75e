-- question: Which states of sessions are not known, since when, and why?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, node, coalesce(peer_node, peer) AS peer, reason, started_at, ended_at,
       round(date_part('epoch', ended_at - started_at) / 60, 1) AS minutes
FROM session_intervals
WHERE state = 'unknown' AND ($cluster = '*' OR cluster = $cluster)
UNION ALL
-- ends that only the other end tells of
SELECT cluster, peer_node, node, other_reason, NULL, NULL, NULL
FROM sessions
WHERE other_reason IS NOT NULL AND other_reason <> 'peer not known' AND ($cluster = '*' OR cluster = $cluster)
ORDER BY reason, minutes DESC NULLS LAST, cluster, node, peer;
