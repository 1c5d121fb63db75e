-- question: What was read, when, and do the counts add up?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT l.load_id, l.cluster, l.engine, l.started_at, l.finished_at, l.files_read, l.files_known, l.bytes_read, l.lines_read,
       l.lines_parsed, l.lines_unparsed, l.lines_rejected,
       l.lines_read = l.lines_parsed + l.lines_unparsed + l.lines_rejected
         AND l.lines_read = coalesce(s.lines_read, 0) AS reconciles, l.peerscope_version, l.ruleset_version
FROM loads AS l
LEFT JOIN (SELECT load_id, sum(lines_read) AS lines_read FROM sources GROUP BY load_id) AS s ON s.load_id = l.load_id
WHERE $cluster = '*' OR l.cluster = $cluster
ORDER BY l.load_id;
