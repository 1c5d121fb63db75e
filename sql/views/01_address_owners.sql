-- An address that two nodes claim names neither of them: a peer at such an address stays without a node.
CREATE OR REPLACE VIEW address_owners AS
SELECT cluster, address, min(node) AS node
FROM node_addresses
GROUP BY cluster, address
HAVING count(DISTINCT node) = 1;
COMMENT ON VIEW address_owners IS 'Addresses that belong to exactly one node.';
COMMENT ON COLUMN address_owners.cluster IS 'Cluster.';
COMMENT ON COLUMN address_owners.address IS 'Address.';
COMMENT ON COLUMN address_owners.node IS 'The only node that has it.';

CREATE OR REPLACE VIEW pod_owners AS
SELECT cluster, pod, min(node) AS node
FROM pod_nodes
GROUP BY cluster, pod
HAVING count(DISTINCT node) = 1;
COMMENT ON VIEW pod_owners IS 'Pods that ran on exactly one node.';
COMMENT ON COLUMN pod_owners.cluster IS 'Cluster.';
COMMENT ON COLUMN pod_owners.pod IS 'Pod.';
COMMENT ON COLUMN pod_owners.node IS 'The only node it ran on.';
