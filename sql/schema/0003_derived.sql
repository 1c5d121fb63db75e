-- What the analysis found: replaced as a whole, per cluster, in one transaction.

CREATE TABLE session_intervals (
  cluster VARCHAR NOT NULL, node VARCHAR, protocol VARCHAR, peer VARCHAR, peer_node VARCHAR, state VARCHAR, category VARCHAR,
  started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, how_started VARCHAR, how_ended VARCHAR
);
COMMENT ON TABLE session_intervals IS 'A stretch in one state of one end of a session; gaps without observation are unknown, not healthy.';
COMMENT ON COLUMN session_intervals.cluster IS 'Cluster.';
COMMENT ON COLUMN session_intervals.node IS 'Node whose end this is.';
COMMENT ON COLUMN session_intervals.protocol IS 'Name of the BGP protocol.';
COMMENT ON COLUMN session_intervals.peer IS 'Address of the peer.';
COMMENT ON COLUMN session_intervals.peer_node IS 'Node at the other end, where the address is known.';
COMMENT ON COLUMN session_intervals.state IS 'State during the stretch: up, down or another; unknown where nobody looked.';
COMMENT ON COLUMN session_intervals.category IS 'What the end said about it, for a stretch that is not up.';
COMMENT ON COLUMN session_intervals.started_at IS 'Start of the stretch.';
COMMENT ON COLUMN session_intervals.ended_at IS 'End of the stretch; none while it lasts.';
COMMENT ON COLUMN session_intervals.how_started IS 'How the start is known.';
COMMENT ON COLUMN session_intervals.how_ended IS 'How the end is known.';

CREATE TABLE coverage (
  cluster VARCHAR NOT NULL, node VARCHAR, component VARCHAR, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ
);
COMMENT ON TABLE coverage IS 'A stretch in which a component of a node was observed; outside of it nothing is known.';
COMMENT ON COLUMN coverage.cluster IS 'Cluster.';
COMMENT ON COLUMN coverage.node IS 'Node.';
COMMENT ON COLUMN coverage.component IS 'Component.';
COMMENT ON COLUMN coverage.started_at IS 'Start of the stretch.';
COMMENT ON COLUMN coverage.ended_at IS 'End of the stretch.';

CREATE TABLE nodes (
  cluster VARCHAR NOT NULL, node VARCHAR NOT NULL, addresses VARCHAR[], is_reflector BOOLEAN, rr_cluster_id VARCHAR,
  calico_version VARCHAR, k8s_version VARCHAR, kernel_version VARCHAR, os_image VARCHAR, optmem_max UBIGINT,
  valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ
);
COMMENT ON TABLE nodes IS 'Facts of a node over a stretch of time.';
COMMENT ON COLUMN nodes.cluster IS 'Cluster.';
COMMENT ON COLUMN nodes.node IS 'Node.';
COMMENT ON COLUMN nodes.addresses IS 'Addresses by which peers know it.';
COMMENT ON COLUMN nodes.is_reflector IS 'Whether it is a route reflector.';
COMMENT ON COLUMN nodes.rr_cluster_id IS 'Route reflector cluster id.';
COMMENT ON COLUMN nodes.calico_version IS 'Version of calico/node.';
COMMENT ON COLUMN nodes.k8s_version IS 'Version of the kubelet.';
COMMENT ON COLUMN nodes.kernel_version IS 'Kernel.';
COMMENT ON COLUMN nodes.os_image IS 'Operating system.';
COMMENT ON COLUMN nodes.optmem_max IS 'net.core.optmem_max in bytes.';
COMMENT ON COLUMN nodes.valid_from IS 'Since when this is known.';
COMMENT ON COLUMN nodes.valid_to IS 'Until when this was so; none while it is.';

CREATE TABLE bgp_groups (
  cluster VARCHAR NOT NULL, group_name VARCHAR NOT NULL, kind group_kind, reflectors VARCHAR[], members VARCHAR[], md5 BOOLEAN,
  valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ
);
COMMENT ON TABLE bgp_groups IS 'A peering group: the mesh, the clients of a set of reflectors, or an external peering.';
COMMENT ON COLUMN bgp_groups.cluster IS 'Cluster.';
COMMENT ON COLUMN bgp_groups.group_name IS 'Name of the group.';
COMMENT ON COLUMN bgp_groups.kind IS 'mesh, reflector or external.';
COMMENT ON COLUMN bgp_groups.reflectors IS 'Nodes that reflect for the group.';
COMMENT ON COLUMN bgp_groups.members IS 'All nodes of the group.';
COMMENT ON COLUMN bgp_groups.md5 IS 'Whether its sessions have a password.';
COMMENT ON COLUMN bgp_groups.valid_from IS 'Since when this is known.';
COMMENT ON COLUMN bgp_groups.valid_to IS 'Until when this was so; none while it is.';

CREATE TABLE group_sizes (
  ts TIMESTAMPTZ, cluster VARCHAR NOT NULL, group_name VARCHAR NOT NULL, reflector VARCHAR, configured_peers UINTEGER,
  established_peers UINTEGER, failed_peers UINTEGER, md5_peers UINTEGER, md5_key_limit UINTEGER
);
COMMENT ON TABLE group_sizes IS 'How many peers a reflector, or a member of the mesh, had at a time.';
COMMENT ON COLUMN group_sizes.ts IS 'Time of the count.';
COMMENT ON COLUMN group_sizes.cluster IS 'Cluster.';
COMMENT ON COLUMN group_sizes.group_name IS 'Group.';
COMMENT ON COLUMN group_sizes.reflector IS 'Node whose peers are counted.';
COMMENT ON COLUMN group_sizes.configured_peers IS 'Peers it has been told of.';
COMMENT ON COLUMN group_sizes.established_peers IS 'Peers seen established.';
COMMENT ON COLUMN group_sizes.failed_peers IS 'Peers seen not established; the rest was not seen.';
COMMENT ON COLUMN group_sizes.md5_peers IS 'Peers with a password.';
COMMENT ON COLUMN group_sizes.md5_key_limit IS 'MD5 keys its kernel can hold for one listening socket; none where optmem_max is not known.';

CREATE TABLE incidents (
  incident_id VARCHAR NOT NULL, cluster VARCHAR NOT NULL, group_name VARCHAR, category VARCHAR, severity severity_name,
  started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, nodes UINTEGER, sessions UINTEGER, events UBIGINT, cause VARCHAR,
  confidence DOUBLE
);
COMMENT ON TABLE incidents IS 'Failures that belong together.';
COMMENT ON COLUMN incidents.incident_id IS 'Content hash, stable over runs.';
COMMENT ON COLUMN incidents.cluster IS 'Cluster.';
COMMENT ON COLUMN incidents.group_name IS 'Group, where the failures are in one.';
COMMENT ON COLUMN incidents.category IS 'What most of its records say.';
COMMENT ON COLUMN incidents.severity IS 'info, warning, error or critical.';
COMMENT ON COLUMN incidents.started_at IS 'First sign.';
COMMENT ON COLUMN incidents.ended_at IS 'Last sign; none while it lasts.';
COMMENT ON COLUMN incidents.nodes IS 'Nodes concerned.';
COMMENT ON COLUMN incidents.sessions IS 'Sessions concerned.';
COMMENT ON COLUMN incidents.events IS 'Events counted.';
COMMENT ON COLUMN incidents.cause IS 'Cause of the strongest diagnosis; undetermined where none holds.';
COMMENT ON COLUMN incidents.confidence IS 'Confidence of that diagnosis, 0 to 1.';

CREATE TABLE diagnoses (
  cluster VARCHAR NOT NULL, diagnosis_id VARCHAR NOT NULL, incident_id VARCHAR NOT NULL, cause VARCHAR NOT NULL, title VARCHAR,
  confidence DOUBLE, summary VARCHAR, remedy VARCHAR, refuted_by VARCHAR, ruleset_version VARCHAR
);
COMMENT ON TABLE diagnoses IS 'A cause claimed for an incident, with what would refute it.';
COMMENT ON COLUMN diagnoses.cluster IS 'Cluster.';
COMMENT ON COLUMN diagnoses.diagnosis_id IS 'Content hash, stable over runs.';
COMMENT ON COLUMN diagnoses.incident_id IS 'Incident it explains.';
COMMENT ON COLUMN diagnoses.cause IS 'Identifier of the cause.';
COMMENT ON COLUMN diagnoses.title IS 'The claim in one line.';
COMMENT ON COLUMN diagnoses.confidence IS '0 to 1; lower when an end was not seen.';
COMMENT ON COLUMN diagnoses.summary IS 'The claim with its numbers.';
COMMENT ON COLUMN diagnoses.remedy IS 'What to do.';
COMMENT ON COLUMN diagnoses.refuted_by IS 'What would show it to be wrong.';
COMMENT ON COLUMN diagnoses.ruleset_version IS 'Version of the rules that made the claim.';

CREATE TABLE evidence (
  cluster VARCHAR NOT NULL, diagnosis_id VARCHAR NOT NULL, role evidence_role NOT NULL, ts TIMESTAMPTZ, node VARCHAR,
  peer VARCHAR, text VARCHAR, source_path VARCHAR, byte_offset UBIGINT
);
COMMENT ON TABLE evidence IS 'A fact for or against a claim, or one that is missing.';
COMMENT ON COLUMN evidence.cluster IS 'Cluster.';
COMMENT ON COLUMN evidence.diagnosis_id IS 'Claim.';
COMMENT ON COLUMN evidence.role IS 'supports, contradicts or missing.';
COMMENT ON COLUMN evidence.ts IS 'When.';
COMMENT ON COLUMN evidence.node IS 'Node it is about.';
COMMENT ON COLUMN evidence.peer IS 'Peer it is about.';
COMMENT ON COLUMN evidence.text IS 'The fact; text from logs is quoted as it was written.';
COMMENT ON COLUMN evidence.source_path IS 'File it was read from.';
COMMENT ON COLUMN evidence.byte_offset IS 'Where it starts in the decompressed file.';

CREATE TABLE effects (
  cluster VARCHAR NOT NULL, category VARCHAR, factor VARCHAR, level VARCHAR, reference VARCHAR, adjusted_for VARCHAR,
  method VARCHAR, estimate DOUBLE, ci_low DOUBLE, ci_high DOUBLE, p_value DOUBLE, q_value DOUBLE, groups UINTEGER,
  failures UBIGINT, session_hours DOUBLE, verdict verdict_name
);
COMMENT ON TABLE effects IS 'Estimated effect of size or version on a failure rate; crude and adjusted rows stand side by side.';
COMMENT ON COLUMN effects.cluster IS 'Cluster.';
COMMENT ON COLUMN effects.category IS 'Failure category.';
COMMENT ON COLUMN effects.factor IS 'What is compared: size or version.';
COMMENT ON COLUMN effects.level IS 'Level of the factor.';
COMMENT ON COLUMN effects.reference IS 'Level it is compared with.';
COMMENT ON COLUMN effects.adjusted_for IS 'Other factor held fixed; none in a crude row.';
COMMENT ON COLUMN effects.method IS 'How it was estimated.';
COMMENT ON COLUMN effects.estimate IS 'Rate ratio.';
COMMENT ON COLUMN effects.ci_low IS 'Lower end of the 95 % interval.';
COMMENT ON COLUMN effects.ci_high IS 'Upper end of the 95 % interval.';
COMMENT ON COLUMN effects.p_value IS 'Permutation by group.';
COMMENT ON COLUMN effects.q_value IS 'p after correction for the number of questions.';
COMMENT ON COLUMN effects.groups IS 'Groups behind the estimate.';
COMMENT ON COLUMN effects.failures IS 'Failures behind it.';
COMMENT ON COLUMN effects.session_hours IS 'Observed session-hours behind it.';
COMMENT ON COLUMN effects.verdict IS 'supported, suggestive, not_distinguishable, confounded or not_enough_data.';

CREATE TABLE size_thresholds (
  cluster VARCHAR NOT NULL, category VARCHAR, scope VARCHAR, threshold DOUBLE, ci_low DOUBLE, ci_high DOUBLE, p_value DOUBLE,
  model VARCHAR, verdict verdict_name, explained_by VARCHAR
);
COMMENT ON TABLE size_thresholds IS 'Estimated group size at which failure begins.';
COMMENT ON COLUMN size_thresholds.cluster IS 'Cluster.';
COMMENT ON COLUMN size_thresholds.category IS 'Failure category.';
COMMENT ON COLUMN size_thresholds.scope IS 'What was counted as size, and where.';
COMMENT ON COLUMN size_thresholds.threshold IS 'Size.';
COMMENT ON COLUMN size_thresholds.ci_low IS 'Lower end of the 95 % interval.';
COMMENT ON COLUMN size_thresholds.ci_high IS 'Upper end of the 95 % interval.';
COMMENT ON COLUMN size_thresholds.p_value IS 'Of the threshold against none, corrected for the search.';
COMMENT ON COLUMN size_thresholds.model IS 'How it was estimated.';
COMMENT ON COLUMN size_thresholds.verdict IS 'supported, suggestive, not_distinguishable, confounded or not_enough_data.';
COMMENT ON COLUMN size_thresholds.explained_by IS 'Known limit at that size, such as md5_key_limit.';
