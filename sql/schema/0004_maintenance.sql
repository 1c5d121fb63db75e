-- What maintenance did, and what outlives the records it removed.

CREATE TABLE maintenance (
  done_at TIMESTAMPTZ NOT NULL, action VARCHAR NOT NULL, table_name VARCHAR NOT NULL, row_count UBIGINT NOT NULL, detail VARCHAR
);
COMMENT ON TABLE maintenance IS 'What maintenance removed, rolled up or labelled anew, one row per action and table.';
COMMENT ON COLUMN maintenance.done_at IS 'When it was done, UTC.';
COMMENT ON COLUMN maintenance.action IS 'expire, thin, roll up, forget, relabel or compact.';
COMMENT ON COLUMN maintenance.table_name IS 'Table it was done to.';
COMMENT ON COLUMN maintenance.row_count IS 'Rows concerned.';
COMMENT ON COLUMN maintenance.detail IS 'Up to when, or from which to which grammar.';

CREATE TABLE forgotten_content (content_id VARCHAR NOT NULL, forgotten_at TIMESTAMPTZ NOT NULL);
COMMENT ON TABLE forgotten_content IS 'Content whose rows are gone for their age; it is not read again when the file still lies there.';
COMMENT ON COLUMN forgotten_content.content_id IS 'Hash of the decompressed content.';
COMMENT ON COLUMN forgotten_content.forgotten_at IS 'When its rows were removed, UTC.';

CREATE TABLE kept_incidents (
  incident_id VARCHAR NOT NULL, cluster VARCHAR NOT NULL, group_name VARCHAR, category VARCHAR, severity severity_name,
  started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, nodes UINTEGER, sessions UINTEGER, events UBIGINT, cause VARCHAR,
  confidence DOUBLE
);
COMMENT ON TABLE kept_incidents IS 'Incidents whose records are gone for their age, as they were last judged; part of incidents.';
COMMENT ON COLUMN kept_incidents.incident_id IS 'Content hash, stable over runs.';
COMMENT ON COLUMN kept_incidents.cluster IS 'Cluster.';
COMMENT ON COLUMN kept_incidents.group_name IS 'Group, where the failures are in one.';
COMMENT ON COLUMN kept_incidents.category IS 'What most of its records say.';
COMMENT ON COLUMN kept_incidents.severity IS 'info, warning, error or critical.';
COMMENT ON COLUMN kept_incidents.started_at IS 'First sign.';
COMMENT ON COLUMN kept_incidents.ended_at IS 'Last sign; none while it lasts.';
COMMENT ON COLUMN kept_incidents.nodes IS 'Nodes concerned.';
COMMENT ON COLUMN kept_incidents.sessions IS 'Sessions concerned.';
COMMENT ON COLUMN kept_incidents.events IS 'Events counted.';
COMMENT ON COLUMN kept_incidents.cause IS 'Cause of the strongest diagnosis; undetermined where none holds.';
COMMENT ON COLUMN kept_incidents.confidence IS 'Confidence of that diagnosis, 0 to 1.';

CREATE TABLE kept_diagnoses (
  cluster VARCHAR NOT NULL, diagnosis_id VARCHAR NOT NULL, incident_id VARCHAR NOT NULL, cause VARCHAR NOT NULL, title VARCHAR,
  confidence DOUBLE, summary VARCHAR, remedy VARCHAR, refuted_by VARCHAR, ruleset_version VARCHAR
);
COMMENT ON TABLE kept_diagnoses IS 'Diagnoses of kept incidents; part of diagnoses.';
COMMENT ON COLUMN kept_diagnoses.cluster IS 'Cluster.';
COMMENT ON COLUMN kept_diagnoses.diagnosis_id IS 'Content hash, stable over runs.';
COMMENT ON COLUMN kept_diagnoses.incident_id IS 'Incident it explains.';
COMMENT ON COLUMN kept_diagnoses.cause IS 'Identifier of the cause.';
COMMENT ON COLUMN kept_diagnoses.title IS 'The claim in one line.';
COMMENT ON COLUMN kept_diagnoses.confidence IS '0 to 1; lower when an end was not seen.';
COMMENT ON COLUMN kept_diagnoses.summary IS 'The claim with its numbers.';
COMMENT ON COLUMN kept_diagnoses.remedy IS 'What to do.';
COMMENT ON COLUMN kept_diagnoses.refuted_by IS 'What would show it to be wrong.';
COMMENT ON COLUMN kept_diagnoses.ruleset_version IS 'Version of the rules that made the claim.';

CREATE TABLE kept_evidence (
  cluster VARCHAR NOT NULL, diagnosis_id VARCHAR NOT NULL, role evidence_role NOT NULL, ts TIMESTAMPTZ, node VARCHAR,
  peer VARCHAR, text VARCHAR, source_path VARCHAR, byte_offset UBIGINT
);
COMMENT ON TABLE kept_evidence IS 'Evidence of kept diagnoses; part of evidence.';
COMMENT ON COLUMN kept_evidence.cluster IS 'Cluster.';
COMMENT ON COLUMN kept_evidence.diagnosis_id IS 'Claim.';
COMMENT ON COLUMN kept_evidence.role IS 'supports, contradicts or missing.';
COMMENT ON COLUMN kept_evidence.ts IS 'When.';
COMMENT ON COLUMN kept_evidence.node IS 'Node it is about.';
COMMENT ON COLUMN kept_evidence.peer IS 'Peer it is about.';
COMMENT ON COLUMN kept_evidence.text IS 'The fact; text from logs is quoted as it was written.';
COMMENT ON COLUMN kept_evidence.source_path IS 'File it was read from.';
COMMENT ON COLUMN kept_evidence.byte_offset IS 'Where it starts in the decompressed file.';
