-- Facts as they were read. Text stands once per shape; counts refer to shapes by a content hash.

CREATE TABLE records (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, source_path VARCHAR NOT NULL, ts TIMESTAMPTZ,
  ts_source ts_source_name NOT NULL, node VARCHAR, pod VARCHAR, component VARCHAR, level VARCHAR,
  message VARCHAR, shape_id UBIGINT NOT NULL, rule VARCHAR, category VARCHAR NOT NULL, severity severity_name NOT NULL,
  protocol VARCHAR, peer VARCHAR, peers VARCHAR[], params MAP(VARCHAR, VARCHAR), byte_offset UBIGINT NOT NULL,
  byte_length UINTEGER NOT NULL, lines UINTEGER NOT NULL
);
COMMENT ON TABLE records IS 'Records kept whole: not benign, or a warning and above, or the first examples of a shape.';
COMMENT ON COLUMN records.load_id IS 'Load that read the record.';
COMMENT ON COLUMN records.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN records.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN records.ts IS 'When it was written, UTC.';
COMMENT ON COLUMN records.ts_source IS 'Where the time came from: envelope, line, neighbour or none.';
COMMENT ON COLUMN records.node IS 'Node as the source names it.';
COMMENT ON COLUMN records.pod IS 'Pod as the source names it.';
COMMENT ON COLUMN records.component IS 'Program that wrote it.';
COMMENT ON COLUMN records.level IS 'Level in lower case.';
COMMENT ON COLUMN records.message IS 'Text without envelope and header, redacted.';
COMMENT ON COLUMN records.shape_id IS 'Shape of the text, see shapes.';
COMMENT ON COLUMN records.rule IS 'Rule that gave the category; none for unclassified.';
COMMENT ON COLUMN records.category IS 'What the record says.';
COMMENT ON COLUMN records.severity IS 'info, warning, error or critical.';
COMMENT ON COLUMN records.protocol IS 'Name of the BGP protocol in the routing daemon.';
COMMENT ON COLUMN records.peer IS 'Address of the peer.';
COMMENT ON COLUMN records.peers IS 'Addresses, where the record names several peers.';
COMMENT ON COLUMN records.params IS 'Other values in the text by name.';
COMMENT ON COLUMN records.byte_offset IS 'Where the record starts in the decompressed file.';
COMMENT ON COLUMN records.byte_length IS 'Length in bytes.';
COMMENT ON COLUMN records.lines IS 'Physical lines it was made of.';

CREATE TABLE minute_counts (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, minute TIMESTAMPTZ, node VARCHAR, component VARCHAR, level VARCHAR,
  shape_id UBIGINT NOT NULL, events UBIGINT NOT NULL
);
COMMENT ON TABLE minute_counts IS 'All lines, counted by minute, node, component, level and shape.';
COMMENT ON COLUMN minute_counts.load_id IS 'Load that counted them.';
COMMENT ON COLUMN minute_counts.cluster IS 'Cluster the files were read for.';
COMMENT ON COLUMN minute_counts.minute IS 'Start of the minute, UTC; none where no time is known.';
COMMENT ON COLUMN minute_counts.node IS 'Node as the source names it.';
COMMENT ON COLUMN minute_counts.component IS 'Program that wrote them.';
COMMENT ON COLUMN minute_counts.level IS 'Level in lower case.';
COMMENT ON COLUMN minute_counts.shape_id IS 'Shape of the text, see shapes.';
COMMENT ON COLUMN minute_counts.events IS 'Physical lines.';

CREATE TABLE shapes (
  shape_id UBIGINT NOT NULL, shape VARCHAR NOT NULL, component VARCHAR, rule VARCHAR, category VARCHAR NOT NULL,
  severity severity_name NOT NULL, example VARCHAR
);
COMMENT ON TABLE shapes IS 'Every distinct masked text: what templates are mined from.';
COMMENT ON COLUMN shapes.shape_id IS 'Hash of component, rule and shape.';
COMMENT ON COLUMN shapes.shape IS 'Text with its variable words replaced.';
COMMENT ON COLUMN shapes.component IS 'Program that writes it.';
COMMENT ON COLUMN shapes.rule IS 'Rule it belongs to; none for unclassified.';
COMMENT ON COLUMN shapes.category IS 'What it says.';
COMMENT ON COLUMN shapes.severity IS 'info, warning, error or critical.';
COMMENT ON COLUMN shapes.example IS 'One text of this shape, redacted.';

CREATE TABLE mined (shape_id UBIGINT NOT NULL, template_id VARCHAR NOT NULL);
COMMENT ON TABLE mined IS 'Which template each shape was mined into.';
COMMENT ON COLUMN mined.shape_id IS 'Shape.';
COMMENT ON COLUMN mined.template_id IS 'Template, a content hash.';

CREATE TABLE template_texts (
  template_id VARCHAR NOT NULL, template VARCHAR NOT NULL, component VARCHAR, rule VARCHAR, category VARCHAR NOT NULL,
  severity severity_name NOT NULL
);
COMMENT ON TABLE template_texts IS 'Mined templates.';
COMMENT ON COLUMN template_texts.template_id IS 'Hash of component and template.';
COMMENT ON COLUMN template_texts.template IS 'Text with wildcards.';
COMMENT ON COLUMN template_texts.component IS 'Program that writes it.';
COMMENT ON COLUMN template_texts.rule IS 'Rule its shapes belong to.';
COMMENT ON COLUMN template_texts.category IS 'What it says.';
COMMENT ON COLUMN template_texts.severity IS 'info, warning, error or critical.';

CREATE TABLE state_observations (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, ts TIMESTAMPTZ, node VARCHAR, protocol VARCHAR, peer VARCHAR,
  state VARCHAR, bgp_state VARCHAR, last_error VARCHAR, observed_by observer_name NOT NULL, source_path VARCHAR NOT NULL,
  byte_offset UBIGINT NOT NULL
);
COMMENT ON TABLE state_observations IS 'Observations of one end of a session, as read; session_states adds the node at the other end.';
COMMENT ON COLUMN state_observations.load_id IS 'Load that read it.';
COMMENT ON COLUMN state_observations.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN state_observations.ts IS 'When it was observed, UTC.';
COMMENT ON COLUMN state_observations.node IS 'Node that observed.';
COMMENT ON COLUMN state_observations.protocol IS 'Name of the BGP protocol.';
COMMENT ON COLUMN state_observations.peer IS 'Address of the peer.';
COMMENT ON COLUMN state_observations.state IS 'Protocol state: up, start, down, wait, feed, stop or flush.';
COMMENT ON COLUMN state_observations.bgp_state IS 'BGP state: Established, Connect, Active, Idle and so on.';
COMMENT ON COLUMN state_observations.last_error IS 'Last error with its prefix.';
COMMENT ON COLUMN state_observations.observed_by IS 'What it was read from.';
COMMENT ON COLUMN state_observations.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN state_observations.byte_offset IS 'Where the record starts in the decompressed file.';

CREATE TABLE resources (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, kind VARCHAR NOT NULL, namespace VARCHAR, name VARCHAR NOT NULL,
  observed_at TIMESTAMPTZ, body JSON, source_path VARCHAR NOT NULL, byte_offset UBIGINT
);
COMMENT ON TABLE resources IS 'Kubernetes and Calico resources as read, redacted.';
COMMENT ON COLUMN resources.load_id IS 'Load that read it.';
COMMENT ON COLUMN resources.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN resources.kind IS 'Kind of the resource.';
COMMENT ON COLUMN resources.namespace IS 'Namespace, where it has one.';
COMMENT ON COLUMN resources.name IS 'Name.';
COMMENT ON COLUMN resources.observed_at IS 'When it was read from the cluster, where known.';
COMMENT ON COLUMN resources.body IS 'The resource, redacted.';
COMMENT ON COLUMN resources.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN resources.byte_offset IS 'Where it starts in the decompressed file.';

CREATE TABLE node_facts (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, node VARCHAR, fact VARCHAR NOT NULL, value VARCHAR,
  observed_at TIMESTAMPTZ, source_path VARCHAR NOT NULL, byte_offset UBIGINT
);
COMMENT ON TABLE node_facts IS 'Single facts about a node: kernel, sysctl values, versions, counters.';
COMMENT ON COLUMN node_facts.load_id IS 'Load that read it.';
COMMENT ON COLUMN node_facts.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN node_facts.node IS 'Node, where known.';
COMMENT ON COLUMN node_facts.fact IS 'Name of the fact.';
COMMENT ON COLUMN node_facts.value IS 'Value as text.';
COMMENT ON COLUMN node_facts.observed_at IS 'When it was observed, where known.';
COMMENT ON COLUMN node_facts.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN node_facts.byte_offset IS 'Where it stands in the decompressed file.';

CREATE TABLE observed_minutes (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, node VARCHAR, component VARCHAR, source_path VARCHAR NOT NULL,
  first_ts TIMESTAMPTZ, last_ts TIMESTAMPTZ, lines UBIGINT NOT NULL
);
COMMENT ON TABLE observed_minutes IS 'Stretches of time for which a source held lines of a component: what coverage is built from.';
COMMENT ON COLUMN observed_minutes.load_id IS 'Load that read it.';
COMMENT ON COLUMN observed_minutes.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN observed_minutes.node IS 'Node, where known.';
COMMENT ON COLUMN observed_minutes.component IS 'Program that wrote the lines.';
COMMENT ON COLUMN observed_minutes.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN observed_minutes.first_ts IS 'First line of the stretch.';
COMMENT ON COLUMN observed_minutes.last_ts IS 'Last line of the stretch.';
COMMENT ON COLUMN observed_minutes.lines IS 'Lines in the stretch.';

CREATE TABLE node_addresses (cluster VARCHAR NOT NULL, address VARCHAR NOT NULL, node VARCHAR NOT NULL);
COMMENT ON TABLE node_addresses IS 'Addresses by which peers know a node; rebuilt by the analysis.';
COMMENT ON COLUMN node_addresses.cluster IS 'Cluster.';
COMMENT ON COLUMN node_addresses.address IS 'Address, without a prefix length.';
COMMENT ON COLUMN node_addresses.node IS 'Node that has it.';

CREATE TABLE pod_nodes (cluster VARCHAR NOT NULL, pod VARCHAR NOT NULL, node VARCHAR NOT NULL);
COMMENT ON TABLE pod_nodes IS 'Node of each pod; rebuilt by the analysis.';
COMMENT ON COLUMN pod_nodes.cluster IS 'Cluster.';
COMMENT ON COLUMN pod_nodes.pod IS 'Pod.';
COMMENT ON COLUMN pod_nodes.node IS 'Node it runs on.';
