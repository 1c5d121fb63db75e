CREATE OR REPLACE VIEW event_counts AS
SELECT c.minute, c.cluster, c.node, c.component, c.level, m.template_id, s.category, CAST(sum(c.events) AS UBIGINT) AS events
FROM minute_counts AS c
LEFT JOIN shapes AS s ON s.shape_id = c.shape_id
LEFT JOIN mined AS m ON m.shape_id = c.shape_id
GROUP BY ALL;
COMMENT ON VIEW event_counts IS 'All lines, counted by minute, node, component, level and template; the sum is every line that was not rejected.';
COMMENT ON COLUMN event_counts.minute IS 'Start of the minute, UTC; none where no time is known.';
COMMENT ON COLUMN event_counts.cluster IS 'Cluster.';
COMMENT ON COLUMN event_counts.node IS 'Node as the source names it.';
COMMENT ON COLUMN event_counts.component IS 'Program that wrote the lines.';
COMMENT ON COLUMN event_counts.level IS 'Level in lower case.';
COMMENT ON COLUMN event_counts.template_id IS 'Template, see templates; none before mining.';
COMMENT ON COLUMN event_counts.category IS 'What the lines say.';
COMMENT ON COLUMN event_counts.events IS 'Physical lines.';
