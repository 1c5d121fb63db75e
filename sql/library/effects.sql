-- question: What effect have size and version on each kind of failure, crude and adjusted for the other?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, category, factor, level, reference, coalesce(adjusted_for, 'crude') AS adjusted_for, method,
       round(estimate, 3) AS estimate, round(ci_low, 3) AS ci_low, round(ci_high, 3) AS ci_high, p_value, q_value, groups,
       failures, round(session_hours, 1) AS session_hours, verdict
FROM effects
WHERE $cluster = '*' OR cluster = $cluster
ORDER BY cluster, category, factor, level, adjusted_for;
