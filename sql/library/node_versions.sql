-- question: Which versions, kernels and optmem_max do the nodes have, and how many of each?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT cluster, calico_version, kernel_version, optmem_max, is_reflector, count(DISTINCT node) AS nodes
FROM nodes
WHERE valid_to IS NULL AND ($cluster = '*' OR cluster = $cluster)
GROUP BY ALL
ORDER BY ALL;
