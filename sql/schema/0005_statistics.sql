-- Statistics: exposure, forecasts, what a row of effects and thresholds is about and why it got its verdict.

CREATE TABLE exposure (
  cluster VARCHAR NOT NULL, group_name VARCHAR NOT NULL, role VARCHAR, size UINTEGER, calico_version VARCHAR,
  category VARCHAR NOT NULL, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, session_hours DOUBLE, failures UBIGINT,
  incidents UBIGINT
);
COMMENT ON TABLE exposure IS 'How long sessions were observed, at which size and version, and how often they failed; planned work is in neither.';
COMMENT ON COLUMN exposure.cluster IS 'Cluster.';
COMMENT ON COLUMN exposure.group_name IS 'Peering group.';
COMMENT ON COLUMN exposure.role IS 'client (of a reflector), between reflectors, mesh or external.';
COMMENT ON COLUMN exposure.size IS 'Peers that the reflector or mesh node had configured before the event.';
COMMENT ON COLUMN exposure.calico_version IS 'Version of calico/node at the client; none where it is not known.';
COMMENT ON COLUMN exposure.category IS 'Failure category; any counts every failure. The hours are the same in each row of a cell.';
COMMENT ON COLUMN exposure.started_at IS 'First moment observed.';
COMMENT ON COLUMN exposure.ended_at IS 'Last moment observed.';
COMMENT ON COLUMN exposure.session_hours IS 'Observed session-hours: the denominator.';
COMMENT ON COLUMN exposure.failures IS 'Sessions lost, one for both ends; an outcome.';
COMMENT ON COLUMN exposure.incidents IS 'Incidents that these losses belong to; the other outcome.';

CREATE TABLE forecasts (
  cluster VARCHAR NOT NULL, group_name VARCHAR NOT NULL, reflector VARCHAR, as_of TIMESTAMPTZ, configured_peers UINTEGER,
  limit_name VARCHAR, limit_value DOUBLE, headroom DOUBLE, growth_per_day DOUBLE, meets_at TIMESTAMPTZ,
  meets_earliest TIMESTAMPTZ, meets_latest TIMESTAMPTZ, verdict VARCHAR
);
COMMENT ON TABLE forecasts IS 'When each reflector meets its nearest limit if it grows as it did.';
COMMENT ON COLUMN forecasts.cluster IS 'Cluster.';
COMMENT ON COLUMN forecasts.group_name IS 'Peering group.';
COMMENT ON COLUMN forecasts.reflector IS 'Node whose peers are counted.';
COMMENT ON COLUMN forecasts.as_of IS 'Time of the last count.';
COMMENT ON COLUMN forecasts.configured_peers IS 'Peers configured then.';
COMMENT ON COLUMN forecasts.limit_name IS 'Nearest limit: md5_key_limit, mesh_advice or size_threshold; none where none is known.';
COMMENT ON COLUMN forecasts.limit_value IS 'That limit, in peers.';
COMMENT ON COLUMN forecasts.headroom IS 'Peers left until then; below zero beyond it.';
COMMENT ON COLUMN forecasts.growth_per_day IS 'Peers per day.';
COMMENT ON COLUMN forecasts.meets_at IS 'When the limit is met at this growth; none beyond two years.';
COMMENT ON COLUMN forecasts.meets_earliest IS 'Earlier end of the 95 % interval.';
COMMENT ON COLUMN forecasts.meets_latest IS 'Later end of the 95 % interval; none beyond two years.';
COMMENT ON COLUMN forecasts.verdict IS 'reached, growing, not_growing, or not_enough_data for a statement about growth.';

ALTER TABLE effects ADD COLUMN outcome VARCHAR;
ALTER TABLE effects ADD COLUMN rule VARCHAR;
ALTER TABLE effects ADD COLUMN homogeneity_p DOUBLE;
ALTER TABLE effects ADD COLUMN family_size UINTEGER;
COMMENT ON COLUMN effects.outcome IS 'What was counted: failures (sessions lost) or incidents.';
COMMENT ON COLUMN effects.rule IS 'The rule that gave the verdict, with its numbers.';
COMMENT ON COLUMN effects.homogeneity_p IS 'Whether the strata agree, for Mantel-Haenszel; small means that one ratio does not fit all.';
COMMENT ON COLUMN effects.family_size IS 'Questions among which q was computed.';
ALTER TABLE size_thresholds ADD COLUMN q_value DOUBLE;
ALTER TABLE size_thresholds ADD COLUMN rule VARCHAR;
ALTER TABLE size_thresholds ADD COLUMN groups UINTEGER;
ALTER TABLE size_thresholds ADD COLUMN ratio DOUBLE;
ALTER TABLE size_thresholds ADD COLUMN family_size UINTEGER;
COMMENT ON COLUMN size_thresholds.q_value IS 'p after correction for the number of questions.';
COMMENT ON COLUMN size_thresholds.rule IS 'The rule that gave the verdict, with its numbers.';
COMMENT ON COLUMN size_thresholds.groups IS 'Groups behind it; for a saturating one those beyond the limit.';
COMMENT ON COLUMN size_thresholds.ratio IS 'Rate above against below (step), or for each doubling beyond (hinge).';
COMMENT ON COLUMN size_thresholds.family_size IS 'Questions among which q was computed.';

CREATE TABLE poisson_limits AS
SELECT CAST(unnest(range(101)) AS UBIGINT) AS failures, unnest([
  0, 0.0253178, 0.242209, 0.618672, 1.08987, 1.62349, 2.20189, 2.81436, 3.45383, 4.11537, 4.79539, 5.49116,
  6.20058, 6.92195, 7.65393, 8.39539, 9.14538, 9.90313, 10.6679, 11.4392, 12.2165, 12.9993, 13.7873, 14.58,
  15.3773, 16.1787, 16.9841, 17.7932, 18.6058, 19.4218, 20.2409, 21.063, 21.888, 22.7157, 23.546, 24.3788, 25.214,
  26.0514, 26.8911, 27.7328, 28.5766, 29.4223, 30.2699, 31.1193, 31.9705, 32.8233, 33.6778, 34.5338, 35.3914,
  36.2505, 37.111, 37.9728, 38.8361, 39.7006, 40.5665, 41.4335, 42.3018, 43.1712, 44.0418, 44.9135, 45.7863,
  46.6602, 47.535, 48.4109, 49.2878, 50.1656, 51.0444, 51.9241, 52.8047, 53.6861, 54.5684, 55.4516, 56.3356,
  57.2203, 58.1059, 58.9923, 59.8794, 60.7672, 61.6558, 62.545, 63.435, 64.3257, 65.217, 66.109, 67.0017, 67.895,
  68.7889, 69.6834, 70.5786, 71.4743, 72.3706, 73.2675, 74.165, 75.063, 75.9616, 76.8607, 77.7603, 78.6605,
  79.5611, 80.4623, 81.364
]::DOUBLE[]) AS low, unnest([
  3.68888, 5.57164, 7.22469, 8.76727, 10.2416, 11.6683, 13.0595, 14.4227, 15.7632, 17.0848, 18.3904, 19.682,
  20.9616, 22.2304, 23.4896, 24.7402, 25.983, 27.2186, 28.4478, 29.6709, 30.8884, 32.1007, 33.3083, 34.5113,
  35.7101, 36.9049, 38.096, 39.2836, 40.4678, 41.6488, 42.8269, 44.002, 45.1745, 46.3443, 47.5116, 48.6765,
  49.8392, 50.9996, 52.158, 53.3143, 54.4686, 55.6211, 56.7718, 57.9207, 59.0679, 60.2135, 61.3576, 62.5, 63.641,
  64.7806, 65.9188, 67.0556, 68.1911, 69.3253, 70.4583, 71.5901, 72.7207, 73.8501, 74.9784, 76.1057, 77.2319,
  78.3571, 79.4812, 80.6044, 81.7266, 82.8478, 83.9682, 85.0876, 86.2062, 87.3239, 88.4408, 89.5568, 90.6721,
  91.7865, 92.9002, 94.0131, 95.1253, 96.2368, 97.3475, 98.4576, 99.5669, 100.676, 101.784, 102.891, 103.998,
  105.104, 106.209, 107.314, 108.418, 109.522, 110.625, 111.728, 112.83, 113.931, 115.032, 116.133, 117.232,
  118.332, 119.431, 120.529, 121.627
]::DOUBLE[]) AS high;
COMMENT ON TABLE poisson_limits IS 'Exact 95 % limits (Garwood) of a Poisson mean for small counts.';
COMMENT ON COLUMN poisson_limits.failures IS 'Count.';
COMMENT ON COLUMN poisson_limits.low IS 'Lower limit of the mean.';
COMMENT ON COLUMN poisson_limits.high IS 'Upper limit of the mean.';
