-- question: What speaks for and against each cause claimed for an incident, and where does it stand?
-- parameters:
--   incident text * identifier of the incident (* for all)
SELECT d.incident_id, d.cause, round(d.confidence, 2) AS confidence, e.role, e.ts, e.node, e.peer, e.text, e.source_path,
       e.byte_offset, d.refuted_by
FROM diagnoses AS d
LEFT JOIN evidence AS e ON e.diagnosis_id = d.diagnosis_id AND e.cluster = d.cluster
WHERE $incident = '*' OR d.incident_id = $incident
ORDER BY d.incident_id, d.confidence DESC, d.cause, e.role, e.ts, e.source_path, e.byte_offset;
