-- Sessions that should be there and were never seen.

CREATE TABLE missing_sessions (
  cluster VARCHAR NOT NULL, node VARCHAR NOT NULL, peer VARCHAR, peer_node VARCHAR, group_name VARCHAR, made_by VARCHAR,
  reason VARCHAR, looked_at TIMESTAMPTZ, source_path VARCHAR, byte_offset UBIGINT
);
COMMENT ON TABLE missing_sessions IS 'An end of a session that the inventory asks for and that nobody ever saw; where nobody looked it is unknown, not down.';
COMMENT ON COLUMN missing_sessions.cluster IS 'Cluster.';
COMMENT ON COLUMN missing_sessions.node IS 'Node that should have this end.';
COMMENT ON COLUMN missing_sessions.peer IS 'Address of the peer.';
COMMENT ON COLUMN missing_sessions.peer_node IS 'Node at the other end, where it is one of the cluster.';
COMMENT ON COLUMN missing_sessions.group_name IS 'Peering group.';
COMMENT ON COLUMN missing_sessions.made_by IS 'BGPPeer that asks for it, or mesh.';
COMMENT ON COLUMN missing_sessions.reason IS 'not listed: the daemon was looked at and lacks it; far end shows it: the same, and only the other end has it; no table: nobody printed what the daemon has; not observed: nothing was collected from the node.';
COMMENT ON COLUMN missing_sessions.looked_at IS 'When the daemon printed the table that lacks it.';
COMMENT ON COLUMN missing_sessions.source_path IS 'File of that table.';
COMMENT ON COLUMN missing_sessions.byte_offset IS 'Where the table starts in it.';
