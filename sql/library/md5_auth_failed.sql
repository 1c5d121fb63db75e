-- question: Which reflector or node says "Kernel MD5 auth failed" (or TCP_MD5SIG), for how many peers, since when?
-- parameters:
--   cluster text * only this cluster (* for all)
WITH said AS (
  SELECT cluster, node, peer, ts FROM session_states WHERE last_error ILIKE '%MD5 auth failed%'
  UNION ALL
  SELECT cluster, node, peer, ts FROM log_events WHERE category = 'md5_kernel_setup_failed'
)
SELECT s.cluster, s.node, bool_or(coalesce(n.is_reflector, false)) AS is_reflector, count(DISTINCT s.peer) AS peers,
       min(s.ts) AS first_seen, max(s.ts) AS last_seen, any_value(n.optmem_max) AS optmem_max,
       any_value(n.kernel_version) AS kernel_version
FROM said AS s
LEFT JOIN (
  SELECT cluster, node, max_by(optmem_max, valid_from) AS optmem_max, max_by(kernel_version, valid_from) AS kernel_version,
         bool_or(is_reflector) AS is_reflector
  FROM nodes GROUP BY cluster, node
) AS n ON n.cluster = s.cluster AND n.node = s.node
WHERE $cluster = '*' OR s.cluster = $cluster
GROUP BY s.cluster, s.node
ORDER BY peers DESC, s.cluster, s.node;
