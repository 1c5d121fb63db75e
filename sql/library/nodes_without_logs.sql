-- question: For which known nodes is there no log of the routing daemon?
-- parameters:
--   cluster text * only this cluster (* for all)
SELECT DISTINCT n.cluster, n.node, n.is_reflector, n.calico_version
FROM nodes AS n
WHERE ($cluster = '*' OR n.cluster = $cluster)
  AND NOT EXISTS (
    SELECT 1 FROM coverage AS c
    WHERE c.cluster = n.cluster AND c.node = n.node AND c.component IN ('bird', 'bird6')
  )
ORDER BY n.cluster, n.node;
