CREATE OR REPLACE VIEW log_events AS
SELECT r.ts, r.ts_source, r.cluster, coalesce(r.node, p.node) AS node, r.pod, r.component, r.level, r.message,
       m.template_id, r.category, r.severity, r.protocol, r.peer, r.peers, r.params, r.source_path, r.byte_offset,
       r.byte_length, r.load_id, r.rule, r.lines
FROM records AS r
LEFT JOIN mined AS m ON m.shape_id = r.shape_id
LEFT JOIN pod_owners AS p ON p.cluster = r.cluster AND p.pod = r.pod;
COMMENT ON VIEW log_events IS 'A record that matters: not benign, or a warning and above, or among the first examples of a template.';
COMMENT ON COLUMN log_events.ts IS 'When it was written, UTC; none where no time is known.';
COMMENT ON COLUMN log_events.ts_source IS 'Where the time came from: envelope, line, neighbour (a record near it) or none.';
COMMENT ON COLUMN log_events.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN log_events.node IS 'Node it is from, as the source names it or through its pod.';
COMMENT ON COLUMN log_events.pod IS 'Pod it is from.';
COMMENT ON COLUMN log_events.component IS 'Program that wrote it: bird, confd, felix, kubelet, kernel and so on.';
COMMENT ON COLUMN log_events.level IS 'Level in lower case.';
COMMENT ON COLUMN log_events.message IS 'Text without envelope and header, redacted; several lines joined.';
COMMENT ON COLUMN log_events.template_id IS 'Template, see templates; none before mining.';
COMMENT ON COLUMN log_events.category IS 'What the record says.';
COMMENT ON COLUMN log_events.severity IS 'info, warning, error or critical; sorts in this order, but compares with text as text: use IN.';
COMMENT ON COLUMN log_events.protocol IS 'Name of the BGP protocol in the routing daemon.';
COMMENT ON COLUMN log_events.peer IS 'Address of the peer.';
COMMENT ON COLUMN log_events.peers IS 'Addresses, where the record names several peers.';
COMMENT ON COLUMN log_events.params IS 'Other values in the text by name.';
COMMENT ON COLUMN log_events.source_path IS 'Path as given to the run; archive!member inside an archive.';
COMMENT ON COLUMN log_events.byte_offset IS 'Where the record starts in the decompressed file.';
COMMENT ON COLUMN log_events.byte_length IS 'Length in bytes.';
COMMENT ON COLUMN log_events.load_id IS 'Load that read it.';
COMMENT ON COLUMN log_events.rule IS 'Rule that gave the category; none for unclassified.';
COMMENT ON COLUMN log_events.lines IS 'Physical lines it was made of.';
