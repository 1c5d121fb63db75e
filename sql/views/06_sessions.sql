-- Status output names a peer but no protocol; such an observation belongs to the protocol of that peer when
-- there is exactly one. Two protocols to one peer (double peering) stay two ends.
CREATE OR REPLACE VIEW sessions AS
WITH protocols AS (
  SELECT cluster, node, peer, min(protocol) AS protocol
  FROM session_states WHERE protocol IS NOT NULL AND peer IS NOT NULL
  GROUP BY cluster, node, peer HAVING count(DISTINCT protocol) = 1
), observed AS (
  SELECT s.* REPLACE (coalesce(s.protocol, p.protocol) AS protocol),
         coalesce(s.state, CASE WHEN s.bgp_state = 'Established' THEN 'up' WHEN s.bgp_state = 'Down' THEN 'down'
                                WHEN s.bgp_state IS NOT NULL THEN 'start' END) AS seen_state
  FROM session_states AS s
  LEFT JOIN protocols AS p ON p.cluster = s.cluster AND p.peer = s.peer AND p.node IS NOT DISTINCT FROM s.node
  WHERE s.peer IS NOT NULL OR s.protocol IS NOT NULL
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY cluster, node, protocol, peer
                               ORDER BY ts NULLS FIRST, source_path, byte_offset) AS n
  FROM observed
), latest AS (
  SELECT cluster, node, protocol, peer, any_value(peer_node) AS peer_node, max(n) FILTER (seen_state IS NOT NULL) AS state_n,
         arg_max(seen_state, n) AS state, coalesce(max(n) FILTER (seen_state = 'up'), 0) AS up_n, max(ts) AS observed_at
  FROM numbered GROUP BY cluster, node, protocol, peer
), changed AS (
  SELECT l.*, max(o.ts) FILTER (o.seen_state IS DISTINCT FROM l.state AND o.seen_state IS NOT NULL) AS other_ts,
         coalesce(max(o.n) FILTER (o.seen_state IS DISTINCT FROM l.state AND o.seen_state IS NOT NULL), 0) AS other_n,
         arg_max(o.last_error, o.n) FILTER (o.n > l.up_n) AS last_error,
         arg_max(o.bgp_state, o.n) FILTER (o.n >= l.state_n) AS seen_bgp_state
  FROM latest AS l JOIN numbered AS o
    ON o.cluster = l.cluster AND o.node IS NOT DISTINCT FROM l.node AND o.protocol IS NOT DISTINCT FROM l.protocol
   AND o.peer IS NOT DISTINCT FROM l.peer
  GROUP BY ALL
), ends AS (
  SELECT c.cluster, c.node, c.protocol, c.peer, c.peer_node, c.state,
         coalesce(c.seen_bgp_state, CASE WHEN c.state = 'up' THEN 'Established' END) AS bgp_state, c.last_error, c.observed_at,
         -- what a table says of the time before it counts as far back as the end was last seen otherwise
         least(min(o.ts) FILTER (o.n > c.other_n AND o.seen_state = c.state),
               min(o.since) FILTER (o.n > c.other_n AND o.seen_state = c.state
                                    AND coalesce(o.since > c.other_ts, true))) AS since
  FROM changed AS c JOIN numbered AS o
    ON o.cluster = c.cluster AND o.node IS NOT DISTINCT FROM c.node AND o.protocol IS NOT DISTINCT FROM c.protocol
   AND o.peer IS NOT DISTINCT FROM c.peer
  GROUP BY ALL
)
SELECT e.cluster, e.node, e.protocol, e.peer, e.peer_node, e.state, e.bgp_state, e.last_error, e.since, o.state AS other_state,
       o.last_error AS other_last_error, o.bgp_state AS other_bgp_state, o.protocol AS other_protocol,
       o.observed_at AS other_observed_at, e.observed_at,
       CASE WHEN o.node IS NOT NULL THEN NULL WHEN e.peer_node IS NULL THEN 'peer not known'
            WHEN b.node IS NULL THEN 'node not in the bundle' ELSE 'no logs' END AS other_reason
FROM ends AS e
LEFT JOIN (
  -- What others say of a node (events, resources) is not collected from it.
  SELECT DISTINCT cluster, node FROM coverage WHERE component NOT IN ('kube-event', 'inventory')
) AS b ON b.cluster = e.cluster AND b.node = e.peer_node
LEFT JOIN ends AS o ON o.cluster = e.cluster AND o.node = e.peer_node AND o.peer_node = e.node
-- Of several ends on the other side the one of the same kind of protocol is the partner, then the latest seen.
QUALIFY row_number() OVER (
  PARTITION BY e.cluster, e.node, e.protocol, e.peer
  ORDER BY split_part(o.protocol, '_', 1) = split_part(e.protocol, '_', 1) DESC NULLS LAST, o.observed_at DESC NULLS LAST,
           o.protocol
) = 1;
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
