-- By which hash content is known: warehouses that know some by BLAKE2b go on with it.

CREATE TABLE content_hash AS
SELECT CASE WHEN EXISTS (SELECT 1 FROM sources) OR EXISTS (SELECT 1 FROM forgotten_content) THEN 'blake2b' ELSE 'blake3' END AS name;
COMMENT ON TABLE content_hash IS 'The hash of the content of sources: blake3, or blake2b where the warehouse is older.';
COMMENT ON COLUMN content_hash.name IS 'Its name.';
