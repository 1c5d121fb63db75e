CREATE OR REPLACE VIEW templates AS
WITH totals AS (
  SELECT m.template_id, sum(c.events) AS events, min(c.minute) AS first_seen, max(c.minute) AS last_seen
  FROM minute_counts AS c JOIN mined AS m ON m.shape_id = c.shape_id
  GROUP BY m.template_id
), examples AS (
  SELECT m.template_id, arg_min(s.example, s.shape_id) AS example
  FROM shapes AS s JOIN mined AS m ON m.shape_id = s.shape_id
  GROUP BY m.template_id
)
SELECT x.template_id, x.template, x.component, x.category, x.severity, CAST(coalesce(t.events, 0) AS UBIGINT) AS events,
       t.first_seen, t.last_seen, e.example, x.rule
FROM template_texts AS x
LEFT JOIN totals AS t ON t.template_id = x.template_id
LEFT JOIN examples AS e ON e.template_id = x.template_id;
COMMENT ON VIEW templates IS 'A mined template.';
COMMENT ON COLUMN templates.template_id IS 'Content hash of component and template: the same everywhere.';
COMMENT ON COLUMN templates.template IS 'Text with wildcards.';
COMMENT ON COLUMN templates.component IS 'Program that writes it.';
COMMENT ON COLUMN templates.category IS 'What it says.';
COMMENT ON COLUMN templates.severity IS 'info, warning, error or critical; sorts in this order, but compares with text as text: use IN.';
COMMENT ON COLUMN templates.events IS 'Physical lines counted.';
COMMENT ON COLUMN templates.first_seen IS 'First minute it was seen in.';
COMMENT ON COLUMN templates.last_seen IS 'Last minute it was seen in.';
COMMENT ON COLUMN templates.example IS 'One text, redacted.';
COMMENT ON COLUMN templates.rule IS 'Rule its texts belong to; none for unclassified.';
