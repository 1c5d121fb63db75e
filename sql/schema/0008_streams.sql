-- Files that grow are continued where they ended, and lines of overlapping dumps are known again.

CREATE TABLE streams (
  content_id VARCHAR NOT NULL, stream_id VARCHAR NOT NULL, head UBIGINT NOT NULL, end_at UBIGINT NOT NULL
);
COMMENT ON TABLE streams IS 'How far each file was read: a file that begins with the same bytes is read from there on.';
COMMENT ON COLUMN streams.content_id IS 'Hash of the decompressed content up to where it was read; the same as in sources.';
COMMENT ON COLUMN streams.stream_id IS 'Content hash of the first part: parts of one file that grew have it in common.';
COMMENT ON COLUMN streams.head IS 'Hash of the first line and of what the path says: only files that agree in these can go on with one another.';
COMMENT ON COLUMN streams.end_at IS 'Bytes of decompressed content that were read.';

CREATE TABLE line_marks (load_id UBIGINT NOT NULL, container UBIGINT NOT NULL, mark UBIGINT NOT NULL, times UINTEGER NOT NULL);
COMMENT ON TABLE line_marks IS 'Lines of dumps that were read with --overlap dedupe, by hash, so that the next dump adds only what is new.';
COMMENT ON COLUMN line_marks.load_id IS 'Load that read them.';
COMMENT ON COLUMN line_marks.container IS 'Hash of cluster, node, pod and container.';
COMMENT ON COLUMN line_marks.mark IS 'Hash of the line with its time, and of the lines it goes on with.';
COMMENT ON COLUMN line_marks.times IS 'How often the line was added.';
