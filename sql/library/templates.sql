-- question: Which log templates are most frequent, and what do they say?
-- parameters:
--   cluster text * only this cluster (* for all)
--   category text * only this category (* for all)
--   top integer 50 how many templates
SELECT t.events, t.component, t.category, t.severity, t.template, t.first_seen, t.last_seen, t.template_id
FROM templates AS t
WHERE ($category = '*' OR t.category = $category)
  AND ($cluster = '*' OR t.template_id IN (SELECT template_id FROM event_counts WHERE cluster = $cluster))
ORDER BY t.events DESC, t.template_id
LIMIT $top;
