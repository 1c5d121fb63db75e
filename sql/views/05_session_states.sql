CREATE OR REPLACE VIEW session_states AS
SELECT o.ts, o.cluster, o.node, o.protocol, o.peer, a.node AS peer_node, o.state, o.bgp_state, o.last_error, o.observed_by,
       o.source_path, o.byte_offset, o.load_id, o.since
FROM state_observations AS o
LEFT JOIN address_owners AS a ON a.cluster = o.cluster AND a.address = o.peer;
COMMENT ON VIEW session_states IS 'One observation of one end of a session.';
COMMENT ON COLUMN session_states.ts IS 'When it was observed, UTC; none where no time is known.';
COMMENT ON COLUMN session_states.cluster IS 'Cluster.';
COMMENT ON COLUMN session_states.node IS 'Node whose end was observed.';
COMMENT ON COLUMN session_states.protocol IS 'Name of the BGP protocol.';
COMMENT ON COLUMN session_states.peer IS 'Address of the peer.';
COMMENT ON COLUMN session_states.peer_node IS 'Node at the other end, where exactly one node has the address.';
COMMENT ON COLUMN session_states.state IS 'Protocol state: up, start, down, wait, feed, stop or flush.';
COMMENT ON COLUMN session_states.bgp_state IS 'BGP state: Established, Connect, Active, Idle and so on.';
COMMENT ON COLUMN session_states.last_error IS 'Last error with its prefix, such as Socket: Connection refused.';
COMMENT ON COLUMN session_states.observed_by IS 'What it was read from: log, show protocols, node status, caliconodestatus or probe.';
COMMENT ON COLUMN session_states.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN session_states.byte_offset IS 'Where the record starts in the decompressed file.';
COMMENT ON COLUMN session_states.load_id IS 'Load that read it.';
COMMENT ON COLUMN session_states.since IS 'From when on the daemon''s own table says that it has surely been so; none where it does not say.';
