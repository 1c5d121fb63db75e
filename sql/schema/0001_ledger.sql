-- The ledger: which runs read which bytes, what was refused, and how often the warehouse changed.

CREATE TYPE severity_name AS ENUM ('info', 'warning', 'error', 'critical');
CREATE TYPE ts_source_name AS ENUM ('envelope', 'line', 'neighbour', 'none');
CREATE TYPE observer_name AS ENUM ('log', 'show protocols', 'node status', 'caliconodestatus', 'probe');
CREATE TYPE group_kind AS ENUM ('mesh', 'reflector', 'external');
CREATE TYPE evidence_role AS ENUM ('supports', 'contradicts', 'missing');
CREATE TYPE verdict_name AS ENUM ('supported', 'suggestive', 'not_distinguishable', 'confounded', 'not_enough_data');

CREATE TABLE warehouse_state (change_seq UBIGINT NOT NULL, views_digest VARCHAR NOT NULL);
COMMENT ON TABLE warehouse_state IS 'One row: how often the warehouse changed; a snapshot is published only when this moved.';
COMMENT ON COLUMN warehouse_state.change_seq IS 'Counter raised by every transaction that changed data; the number of the next snapshot.';
COMMENT ON COLUMN warehouse_state.views_digest IS 'Hash of the view definitions in force; views are created again when it differs.';

CREATE TABLE derived_digests (cluster VARCHAR NOT NULL, table_name VARCHAR NOT NULL, digest VARCHAR NOT NULL);
COMMENT ON TABLE derived_digests IS 'Content hash of each derived table per cluster: a repeated analysis with the same result changes nothing.';
COMMENT ON COLUMN derived_digests.cluster IS 'Cluster the rows belong to; empty for the mined templates.';
COMMENT ON COLUMN derived_digests.table_name IS 'Derived table.';
COMMENT ON COLUMN derived_digests.digest IS 'blake2b of the rows in the order given.';

CREATE TABLE loads (
  load_id UBIGINT PRIMARY KEY, cluster VARCHAR NOT NULL, engine VARCHAR NOT NULL, peerscope_version VARCHAR NOT NULL,
  ruleset_version VARCHAR, started_at TIMESTAMPTZ NOT NULL, finished_at TIMESTAMPTZ NOT NULL, files_read UBIGINT NOT NULL,
  files_known UBIGINT NOT NULL, bytes_read UBIGINT NOT NULL, lines_read UBIGINT NOT NULL, lines_parsed UBIGINT NOT NULL,
  lines_unparsed UBIGINT NOT NULL, lines_rejected UBIGINT NOT NULL,
  CHECK (lines_read = lines_parsed + lines_unparsed + lines_rejected)
);
COMMENT ON TABLE loads IS 'The ledger: one row per load; written in the same transaction as the rows of the load.';
COMMENT ON COLUMN loads.load_id IS 'Number of the load, ascending.';
COMMENT ON COLUMN loads.cluster IS 'Cluster the files were read for.';
COMMENT ON COLUMN loads.engine IS 'Engine that parsed: local or spark.';
COMMENT ON COLUMN loads.peerscope_version IS 'Version of peerscope that wrote the load.';
COMMENT ON COLUMN loads.ruleset_version IS 'Content hash of the grammar that classified the load.';
COMMENT ON COLUMN loads.started_at IS 'When the load began.';
COMMENT ON COLUMN loads.finished_at IS 'When the load was committed.';
COMMENT ON COLUMN loads.files_read IS 'Files or archive members read.';
COMMENT ON COLUMN loads.files_known IS 'Files skipped because the same bytes were read before.';
COMMENT ON COLUMN loads.bytes_read IS 'Decompressed bytes read.';
COMMENT ON COLUMN loads.lines_read IS 'Physical lines read; always parsed + unparsed + rejected.';
COMMENT ON COLUMN loads.lines_parsed IS 'Lines whose envelope or format was understood.';
COMMENT ON COLUMN loads.lines_unparsed IS 'Lines kept and counted without an understood format.';
COMMENT ON COLUMN loads.lines_rejected IS 'Lines refused; each stands in rejects with a reason.';

CREATE TABLE sources (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, source_path VARCHAR NOT NULL, content_id VARCHAR NOT NULL, kind VARCHAR,
  envelope VARCHAR, node VARCHAR, pod VARCHAR, container VARCHAR, bytes_read UBIGINT NOT NULL, lines_read UBIGINT NOT NULL,
  lines_parsed UBIGINT NOT NULL, lines_unparsed UBIGINT NOT NULL, lines_rejected UBIGINT NOT NULL,
  first_ts TIMESTAMPTZ, last_ts TIMESTAMPTZ,
  CHECK (lines_read = lines_parsed + lines_unparsed + lines_rejected)
);
COMMENT ON TABLE sources IS 'One row per file or archive member read; the same bytes are read once, whatever their name.';
COMMENT ON COLUMN sources.load_id IS 'Load that read the file.';
COMMENT ON COLUMN sources.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN sources.source_path IS 'Path as given to the run; archive!member inside an archive.';
COMMENT ON COLUMN sources.content_id IS 'Hash of the decompressed content.';
COMMENT ON COLUMN sources.kind IS 'What the content was recognised as.';
COMMENT ON COLUMN sources.envelope IS 'Line envelope of a log: cri, docker, journald, bare and so on.';
COMMENT ON COLUMN sources.node IS 'Node the file belongs to, where known.';
COMMENT ON COLUMN sources.pod IS 'Pod the file belongs to, where known.';
COMMENT ON COLUMN sources.container IS 'Container the file belongs to, where known.';
COMMENT ON COLUMN sources.bytes_read IS 'Decompressed bytes.';
COMMENT ON COLUMN sources.lines_read IS 'Physical lines read; always parsed + unparsed + rejected.';
COMMENT ON COLUMN sources.lines_parsed IS 'Lines whose envelope or format was understood.';
COMMENT ON COLUMN sources.lines_unparsed IS 'Lines kept and counted without an understood format.';
COMMENT ON COLUMN sources.lines_rejected IS 'Lines refused; each stands in rejects with a reason.';
COMMENT ON COLUMN sources.first_ts IS 'Earliest time read in the file.';
COMMENT ON COLUMN sources.last_ts IS 'Latest time read in the file.';

CREATE TABLE rejects (
  load_id UBIGINT NOT NULL, cluster VARCHAR NOT NULL, source_path VARCHAR NOT NULL, byte_offset UBIGINT, byte_length UBIGINT,
  lines UBIGINT NOT NULL, reason VARCHAR NOT NULL, detail VARCHAR
);
COMMENT ON TABLE rejects IS 'Input that was refused: a line, a file or an archive member, with the reason.';
COMMENT ON COLUMN rejects.load_id IS 'Load that refused it.';
COMMENT ON COLUMN rejects.cluster IS 'Cluster the file was read for.';
COMMENT ON COLUMN rejects.source_path IS 'Path as given to the run.';
COMMENT ON COLUMN rejects.byte_offset IS 'Where the refused part starts in the decompressed file.';
COMMENT ON COLUMN rejects.byte_length IS 'Length of the refused part in bytes.';
COMMENT ON COLUMN rejects.lines IS 'Physical lines refused.';
COMMENT ON COLUMN rejects.reason IS 'Short word for why.';
COMMENT ON COLUMN rejects.detail IS 'What was found there, redacted and cut.';
