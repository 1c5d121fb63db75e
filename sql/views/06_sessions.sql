-- Status output names a peer but no protocol; such an observation belongs to the protocol of that peer when
-- there is exactly one. Two protocols to one peer (double peering) stay two ends.
CREATE OR REPLACE VIEW sessions AS
WITH protocols AS (
  SELECT cluster, node, peer, min(protocol) AS protocol
  FROM state_observations AS s
  WHERE protocol IS NOT NULL AND peer IS NOT NULL AND EXISTS (
    FROM state_observations AS o
    WHERE o.protocol IS NULL AND o.cluster = s.cluster AND o.peer = s.peer AND o.node IS NOT DISTINCT FROM s.node
  )
  GROUP BY cluster, node, peer HAVING min(protocol) = max(protocol)
), observed AS NOT MATERIALIZED (
  SELECT s.* REPLACE (coalesce(s.protocol, p.protocol) AS protocol),
         coalesce(s.state, CASE WHEN s.bgp_state = 'Established' THEN 'up' WHEN s.bgp_state = 'Down' THEN 'down'
                                WHEN s.bgp_state IS NOT NULL THEN 'start' END) AS seen_state
  FROM state_observations AS s
  LEFT JOIN protocols AS p ON p.cluster = s.cluster AND p.peer = s.peer AND p.node IS NOT DISTINCT FROM s.node
  WHERE s.peer IS NOT NULL OR s.protocol IS NOT NULL
), numbers AS MATERIALIZED (
  -- Names are compared once: observations are put in order by the number of their end.
  SELECT cluster, node, protocol, peer, row_number() OVER () AS id,
         max(ts) FILTER (seen_state = 'up') AS last_up, max(ts) FILTER (seen_state <> 'up') AS last_other
  FROM observed GROUP BY cluster, node, protocol, peer
), recent AS (
  -- Of an end that was seen up and otherwise, what is older than the latest of both says nothing that still holds.
  SELECT n.id, o.ts, o.source_path, o.byte_offset, o.since, o.seen_state, o.bgp_state, o.last_error
  FROM observed AS o
  JOIN numbers AS n ON n.cluster = o.cluster AND n.node IS NOT DISTINCT FROM o.node
   AND n.protocol IS NOT DISTINCT FROM o.protocol AND n.peer IS NOT DISTINCT FROM o.peer
  WHERE n.last_up IS NULL OR n.last_other IS NULL OR o.ts >= least(n.last_up, n.last_other)
), numbered AS (
  -- What is seen of the end from an observation on: whether it stays in one state, and whether it is up again.
  SELECT id, ts, since, seen_state, bgp_state, last_error, row_number() OVER past AS n,
         coalesce(min(seen_state) OVER rest = max(seen_state) OVER rest, true) AS lasts,
         coalesce(bool_or(seen_state = 'up') OVER rest, false) AS gets_up
  FROM recent
  WINDOW past AS (PARTITION BY id ORDER BY ts NULLS FIRST, source_path, byte_offset),
         rest AS (PARTITION BY id ORDER BY ts NULLS FIRST, source_path, byte_offset
                  ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
), latest AS (
  SELECT id, arg_max(seen_state, n) AS state, arg_max_null(bgp_state, n) FILTER (seen_state IS NOT NULL) AS bgp_state,
         arg_max(last_error, n) FILTER (NOT gets_up) AS last_error, max(ts) AS observed_at, max(ts) FILTER (NOT lasts) AS other_ts,
         min(ts) FILTER (lasts AND seen_state IS NOT NULL) AS seen_since,
         list(since) FILTER (lasts AND seen_state IS NOT NULL AND since IS NOT NULL) AS told_since
  FROM numbered GROUP BY id
), ends AS MATERIALIZED (
  SELECT n.cluster, n.node, n.protocol, n.peer,
         l.* REPLACE (coalesce(bgp_state, CASE WHEN state = 'up' THEN 'Established' END) AS bgp_state), a.node AS peer_node,
         split_part(n.protocol, '_', 1) AS kind,
         -- what a table says of the time before it counts as far back as the end was last seen otherwise
         least(seen_since, list_min([t FOR t IN told_since IF other_ts IS NULL OR t > other_ts])) AS since
  FROM latest AS l JOIN numbers AS n ON n.id = l.id LEFT JOIN address_owners AS a ON a.cluster = n.cluster AND a.address = n.peer
), partners AS (
  -- Of several ends on the other side the one of the same kind of protocol is the partner, then the latest seen.
  SELECT e.id, o.id AS other
  FROM ends AS e JOIN ends AS o ON o.cluster = e.cluster AND o.node = e.peer_node AND o.peer_node = e.node
  QUALIFY row_number() OVER (
    PARTITION BY e.id
    ORDER BY o.kind = e.kind DESC NULLS LAST, o.observed_at DESC NULLS LAST, o.protocol, o.peer
  ) = 1
)
SELECT e.cluster, e.node, e.protocol, e.peer, e.peer_node, e.state, e.bgp_state, e.last_error, e.since, o.state AS other_state,
       o.last_error AS other_last_error, o.bgp_state AS other_bgp_state, o.protocol AS other_protocol,
       o.observed_at AS other_observed_at, e.observed_at,
       CASE WHEN o.id IS NOT NULL THEN NULL WHEN e.peer_node IS NULL THEN 'peer not known'
            WHEN b.node IS NULL THEN 'node not in the bundle' ELSE 'no logs' END AS other_reason
FROM ends AS e
LEFT JOIN partners AS p ON p.id = e.id
LEFT JOIN ends AS o ON o.id = p.other
LEFT JOIN (
  -- What others say of a node (events, resources) is not collected from it.
  SELECT DISTINCT cluster, node FROM coverage WHERE component NOT IN ('kube-event', 'inventory')
) AS b ON b.cluster = e.cluster AND b.node = e.peer_node;
COMMENT ON VIEW sessions IS 'The latest of each end of a session, with the other end''s view beside it.';
COMMENT ON COLUMN sessions.cluster IS 'Cluster.';
COMMENT ON COLUMN sessions.node IS 'Node whose end this is.';
COMMENT ON COLUMN sessions.protocol IS 'Name of the BGP protocol.';
COMMENT ON COLUMN sessions.peer IS 'Address of the peer.';
COMMENT ON COLUMN sessions.peer_node IS 'Node at the other end, where exactly one node has the address.';
COMMENT ON COLUMN sessions.state IS 'Latest protocol state this end was seen in; up is established.';
COMMENT ON COLUMN sessions.bgp_state IS 'Latest BGP state this end was seen in.';
COMMENT ON COLUMN sessions.last_error IS 'Latest error since it was last up.';
COMMENT ON COLUMN sessions.since IS 'First time it was seen in this state without another in between, or since when the daemon said then that it was so.';
COMMENT ON COLUMN sessions.other_state IS 'Latest state of the other end; none where the other end was not seen.';
COMMENT ON COLUMN sessions.other_last_error IS 'Latest error of the other end since it was last up.';
COMMENT ON COLUMN sessions.other_bgp_state IS 'Latest BGP state of the other end.';
COMMENT ON COLUMN sessions.other_protocol IS 'Name of the protocol at the other end.';
COMMENT ON COLUMN sessions.other_observed_at IS 'When the other end was last observed.';
COMMENT ON COLUMN sessions.other_reason IS 'Why the other end was not seen. node not in the bundle: nothing was collected from that node; no logs: something was, but neither a log nor a status of its routing daemon that names this session; peer not known: the address belongs to no node that is known, or to two. None where the other end was seen.';
COMMENT ON COLUMN sessions.observed_at IS 'When this end was last observed.';
