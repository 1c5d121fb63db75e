-- question: Which failures belong together, and what caused them?
-- parameters:
--   cluster text * only this cluster (* for all)
--   severity text info least severity: info, warning, error or critical
SELECT i.started_at, i.ended_at, i.cluster, i.group_name, i.category, i.severity, i.nodes, i.sessions, i.events, i.cause,
       round(i.confidence, 2) AS confidence, d.title, d.remedy, i.incident_id
FROM incidents AS i
LEFT JOIN (
  SELECT incident_id, cause, any_value(title) AS title, any_value(remedy) AS remedy FROM diagnoses GROUP BY incident_id, cause
) AS d ON d.incident_id = i.incident_id AND d.cause = i.cause
WHERE ($cluster = '*' OR i.cluster = $cluster)
  AND list_position(['info', 'warning', 'error', 'critical'], CAST(i.severity AS VARCHAR))
      >= list_position(['info', 'warning', 'error', 'critical'], $severity)
ORDER BY i.severity DESC, i.started_at, i.incident_id;
