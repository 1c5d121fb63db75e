-- question: How many peers had each reflector configured, established and failed, day by day?
-- parameters:
--   cluster text * only this cluster (* for all)
--   group text * only this group (* for all)
SELECT time_bucket(INTERVAL 1 DAY, ts) AS day, cluster, group_name, reflector, max(configured_peers) AS configured_peers,
       arg_max(established_peers, ts) AS established_peers, arg_max(failed_peers, ts) AS failed_peers,
       max(md5_peers) AS md5_peers
FROM group_sizes
WHERE ($cluster = '*' OR cluster = $cluster) AND ($group = '*' OR group_name = $group)
GROUP BY ALL
ORDER BY cluster, group_name, reflector, day;
