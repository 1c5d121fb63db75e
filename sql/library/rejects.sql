-- question: What input was refused, and why?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT reason, count(*) AS times, sum(lines) AS lines, count(DISTINCT source_path) AS files, min(source_path) AS first_file,
       min(detail) AS example
FROM rejects
WHERE $cluster = '*' OR cluster = $cluster
GROUP BY reason
ORDER BY lines DESC, times DESC, reason;
