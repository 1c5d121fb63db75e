-- What daemons say of the time before they were looked at.

ALTER TABLE state_observations ADD COLUMN since TIMESTAMPTZ;
COMMENT ON COLUMN state_observations.since IS 'From when on the daemon''s own table says that it has surely been so; none where it does not say.';
ALTER TABLE session_intervals ADD COLUMN seen_from TIMESTAMPTZ;
COMMENT ON COLUMN session_intervals.seen_from IS 'From when on the stretch was observed, where only a table printed then tells of the time before it (how_started is since); such time is in no rate.';
COMMENT ON COLUMN session_intervals.how_started IS 'How the start is known: log, snapshot (a status table), probe, since (the SINCE column of the first table that shows it) or unobserved (nobody looked when it began).';
COMMENT ON COLUMN session_intervals.how_ended IS 'How the end is known: as how_started, or end of data.';
