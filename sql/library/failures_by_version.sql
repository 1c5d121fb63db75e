-- question: Do sessions fail more often with one version of Calico (crude, per observed session-hour)?
-- parameters:
--   cluster text * only this cluster (* for all)
--   category text * only this category (* for all)
SELECT category, coalesce(calico_version, 'not known') AS calico_version, count(DISTINCT (cluster, group_name)) AS groups,
       sum(failures) AS failures, round(sum(session_hours), 2) AS session_hours,
       round(sum(failures) / sum(session_hours), 6) AS failures_per_session_hour
FROM failure_rates
WHERE ($cluster = '*' OR cluster = $cluster) AND ($category = '*' OR category = $category)
GROUP BY ALL
ORDER BY category, calico_version;
