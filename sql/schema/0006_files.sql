-- What files looked like when they were read: an unchanged one need not be opened again.

CREATE TABLE file_states (
  path VARCHAR PRIMARY KEY, size UBIGINT NOT NULL, mtime_ns BIGINT NOT NULL, inode UBIGINT NOT NULL, digest BLOB NOT NULL
);
COMMENT ON TABLE file_states IS 'Files that hold one source each, as they were when they were last read.';
COMMENT ON COLUMN file_states.path IS 'Absolute path.';
COMMENT ON COLUMN file_states.size IS 'Size in bytes.';
COMMENT ON COLUMN file_states.mtime_ns IS 'Time of its last change in nanoseconds.';
COMMENT ON COLUMN file_states.inode IS 'Number of the file in its file system: another file under the same name has another.';
COMMENT ON COLUMN file_states.digest IS 'Hash of the decompressed content.';
