-- question: What share of the lines is unclassified, by component, and what are the most frequent ones?
-- parameters:
--   cluster text * only this cluster (* for all)
WITH counted AS (
  SELECT component, category, template_id, sum(events) AS events
  FROM event_counts WHERE $cluster = '*' OR cluster = $cluster
  GROUP BY ALL
), totals AS (
  SELECT component, sum(events) AS lines, coalesce(sum(events) FILTER (category = 'unclassified'), 0) AS unclassified,
         arg_max(template_id, events) FILTER (category = 'unclassified') AS template_id
  FROM counted GROUP BY component
)
SELECT t.component, t.lines, t.unclassified, round(100.0 * t.unclassified / t.lines, 2) AS percent,
       x.template AS most_frequent, x.example
FROM totals AS t LEFT JOIN templates AS x ON x.template_id = t.template_id
ORDER BY t.unclassified DESC, t.component;
