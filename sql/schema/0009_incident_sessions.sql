-- Which sessions an incident holds, whether it was planned work, and the order of its evidence.

CREATE TABLE incident_sessions (
  cluster VARCHAR NOT NULL, incident_id VARCHAR NOT NULL, node VARCHAR, protocol VARCHAR, peer VARCHAR, peer_node VARCHAR,
  category VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, last_error VARCHAR, source_path VARCHAR, byte_offset UBIGINT
);
COMMENT ON TABLE incident_sessions IS 'One loss of one end of a session, with the incident it belongs to.';
COMMENT ON COLUMN incident_sessions.cluster IS 'Cluster.';
COMMENT ON COLUMN incident_sessions.incident_id IS 'Incident.';
COMMENT ON COLUMN incident_sessions.node IS 'Node of this end; none where the source names none.';
COMMENT ON COLUMN incident_sessions.protocol IS 'Name of the BGP protocol.';
COMMENT ON COLUMN incident_sessions.peer IS 'Address of the peer.';
COMMENT ON COLUMN incident_sessions.peer_node IS 'Node at the other end, where it is one of the cluster.';
COMMENT ON COLUMN incident_sessions.category IS 'What this end says of the loss.';
COMMENT ON COLUMN incident_sessions.started_at IS 'When this end was first seen down.';
COMMENT ON COLUMN incident_sessions.ended_at IS 'When it was seen up again; none while it is down or was not seen any more.';
COMMENT ON COLUMN incident_sessions.last_error IS 'Error that gave the category.';
COMMENT ON COLUMN incident_sessions.source_path IS 'File in which the loss was seen.';
COMMENT ON COLUMN incident_sessions.byte_offset IS 'Where the record starts in the decompressed file.';

ALTER TABLE incidents ADD COLUMN planned BOOLEAN;
COMMENT ON COLUMN incidents.planned IS 'Whether it was work that somebody meant: a restart, a reconfiguration, a peer taken out.';
ALTER TABLE kept_incidents ADD COLUMN planned BOOLEAN;
COMMENT ON COLUMN kept_incidents.planned IS 'Whether it was work that somebody meant.';
ALTER TABLE evidence ADD COLUMN position UINTEGER;
COMMENT ON COLUMN evidence.position IS 'Place among the facts of its diagnosis, from 1: the strongest first, then what contradicts, then what is missing.';
ALTER TABLE kept_evidence ADD COLUMN position UINTEGER;
COMMENT ON COLUMN kept_evidence.position IS 'Place among the facts of its diagnosis, from 1.';
