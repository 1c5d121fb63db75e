-- question: How many MD5 keys can each reflector still take before its kernel refuses one?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, group_name, reflector, arg_max(md5_peers, ts) AS md5_peers, arg_max(md5_key_limit, ts) AS md5_key_limit,
       CAST(arg_max(md5_key_limit, ts) AS BIGINT) - arg_max(md5_peers, ts) AS headroom, max(ts) AS as_of
FROM group_sizes
WHERE md5_peers > 0 AND ($cluster = '*' OR cluster = $cluster)
GROUP BY cluster, group_name, reflector
ORDER BY headroom NULLS LAST, cluster, reflector;
