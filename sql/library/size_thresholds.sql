-- question: From which size on do groups fail, and which known limit explains it?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, category, scope, threshold, ci_low, ci_high, p_value, model, verdict, explained_by
FROM size_thresholds
WHERE $cluster = '*' OR cluster = $cluster
ORDER BY cluster, category, scope;
