-- Groups through time, why a state is not known, and what daemons say of the time before they were looked at.

COMMENT ON TABLE bgp_groups IS 'A peering group: the mesh, the clients of a set of reflectors, or an external peering; a row for each time in which it was the same.';
COMMENT ON COLUMN bgp_groups.valid_from IS 'Time of the first inventory that shows it so; what the first inventory of all shows is taken to hold since ever.';
COMMENT ON COLUMN bgp_groups.valid_to IS 'Time of the first inventory that shows it otherwise; none while it is so.';
COMMENT ON TABLE group_sizes IS 'How many peers a reflector had at a time: in its own status table, in its log, or by the inventory where nobody printed a table within an hour of it.';
COMMENT ON COLUMN group_sizes.established_peers IS 'Peers seen established; none where only the inventory tells of the reflector.';
COMMENT ON COLUMN group_sizes.failed_peers IS 'Peers seen not established; none where only the inventory tells of the reflector.';

ALTER TABLE session_intervals ADD COLUMN reason VARCHAR;
COMMENT ON COLUMN session_intervals.reason IS 'Why the state is unknown. rotated away: the node''s routing daemon has a log before and after this time, the file between is missing; no logs: no log of the daemon reaches this time, and nobody printed its status.';
