-- question: When was a component of a node not observed, between stretches in which it was?
-- parameters:
--   cluster text * only this cluster (* for all)
--   minutes integer 10 shortest gap in minutes
WITH gaps AS (
  SELECT cluster, node, component,
         max(ended_at) OVER (PARTITION BY cluster, node, component ORDER BY started_at
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS gap_from,
         started_at AS gap_to
  FROM coverage
)
SELECT cluster, node, component, gap_from, gap_to, round(date_part('epoch', gap_to - gap_from) / 60, 1) AS minutes
FROM gaps
WHERE gap_to - gap_from >= to_minutes($minutes) AND ($cluster = '*' OR cluster = $cluster)
ORDER BY minutes DESC, cluster, node, component;
