-- question: How many events of each category are there per hour?
-- parameters:
--   cluster text * only this cluster (* for all)
--   since time none from this time on (none for all)
--   until time none before this time (none for all)
SELECT time_bucket(INTERVAL 1 HOUR, minute) AS hour, cluster, category, sum(events) AS events, count(DISTINCT node) AS nodes
FROM event_counts
WHERE category <> 'benign' AND ($cluster = '*' OR cluster = $cluster)
  AND minute >= coalesce(CAST($since AS TIMESTAMPTZ), '-infinity'::TIMESTAMPTZ)
  AND minute < coalesce(CAST($until AS TIMESTAMPTZ), 'infinity'::TIMESTAMPTZ)
GROUP BY ALL
ORDER BY hour, cluster, category;
