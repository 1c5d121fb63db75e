-- Failures per observed session-hour. Only hours in which an end was observed count: a bucket without them has
-- no row, and a group without failures has rows with 0. A session seen from both ends is one session: its hours
-- are those of the end that was observed longer. Work that somebody planned is no failure. The limits are the exact Poisson ones
-- (Garwood) up to 100 failures, from there on Byar's approximation of them (within 0.01 %).
CREATE OR REPLACE VIEW failure_rates AS
WITH names AS MATERIALIZED (
  -- Names are compared once: what follows joins and groups by numbers.
  SELECT cluster, name, row_number() OVER () AS n
  FROM (SELECT cluster, node AS name FROM session_intervals UNION SELECT cluster, coalesce(peer_node, peer) FROM session_intervals)
), groups AS MATERIALIZED (
  SELECT cluster, group_name, row_number() OVER () AS g FROM (SELECT DISTINCT cluster, group_name FROM bgp_groups)
), horizon AS (
  SELECT cluster, max(greatest(started_at, coalesce(ended_at, started_at))) AS last_at FROM session_intervals GROUP BY cluster
), observed AS MATERIALIZED (
  SELECT row_number() OVER () AS id, a.n AS node, b.n AS other,
         CASE WHEN i.state <> 'up' AND i.category <> 'benign' THEN i.category END AS failure,
         greatest(i.started_at, i.seen_from) AS started_at, coalesce(i.ended_at, h.last_at) AS ended_at
  FROM session_intervals AS i
  JOIN names AS a ON a.cluster = i.cluster AND a.name = i.node
  JOIN names AS b ON b.cluster = i.cluster AND b.name = coalesce(i.peer_node, i.peer)
  JOIN horizon AS h ON h.cluster = i.cluster
  WHERE i.state <> 'unknown' AND i.started_at IS NOT NULL
    AND coalesce(i.seen_from < i.ended_at, true) -- what only a later table tells was not observed
), held AS MATERIALIZED (
  -- Who was the hub of a group, or a node of a mesh, from when to when; what the first inventory says holds since ever.
  SELECT m.g, m.meshed, n.n AS member, m.since, m.until
  FROM (
    SELECT g.g, b.cluster, b.kind = 'mesh' AS meshed, b.member,
           min(CASE WHEN b.is_first THEN TIMESTAMPTZ '-infinity' ELSE b.valid_from END) AS since,
           max(coalesce(b.valid_to, TIMESTAMPTZ 'infinity')) AS until
    FROM (
      SELECT *, valid_from IS NULL OR valid_from = min(valid_from) OVER (PARTITION BY cluster) AS is_first,
             unnest(CASE WHEN kind = 'mesh' THEN members ELSE reflectors END) AS member
      FROM bgp_groups
    ) AS b JOIN groups AS g ON g.cluster = b.cluster AND g.group_name = b.group_name
    GROUP BY ALL
  ) AS m JOIN names AS n ON n.cluster = m.cluster AND n.name = m.member
), near AS MATERIALIZED (
  SELECT o.id, o.node, o.other, o.started_at, h.g, h.meshed, h.since, h.until
  FROM observed AS o JOIN held AS h ON h.member = o.node
), ways AS (
  -- A session is of the group of the hub at either end, of a mesh by both ends.
  SELECT id, started_at, g, other AS client, since, until, 1 AS way FROM near WHERE NOT meshed
  UNION ALL
  SELECT o.id, o.started_at, h.g, o.node, h.since, h.until, 2
  FROM observed AS o JOIN held AS h ON h.member = o.other AND NOT h.meshed
  UNION ALL
  SELECT n.id, n.started_at, n.g, n.node, greatest(n.since, f.since), least(n.until, f.until), 3
  FROM near AS n JOIN held AS f ON f.member = n.other AND f.g = n.g AND f.meshed
  WHERE n.meshed
), placed AS MATERIALIZED (
  SELECT id, g, client, way, CASE WHEN since > started_at THEN 1 WHEN until <= started_at THEN 2 ELSE 0 END AS place,
         CASE WHEN since > started_at THEN epoch(since) WHEN until <= started_at THEN -epoch(until) END AS away
  FROM ways
), chosen AS (
  -- A stretch counts for the group that had the session when it began; a session that no inventory knew by then,
  -- for the first group that has it afterwards; else for the last that had it.
  SELECT id, g, client, way FROM placed WHERE place = 0
  UNION ALL
  SELECT id, g, client, way FROM placed ANTI JOIN (FROM placed WHERE place = 0) USING (id)
  QUALIFY rank() OVER (PARTITION BY id ORDER BY place, away) = 1
), stretches AS (
  SELECT g.g, g.client, o.* FROM (SELECT id, g, arg_min(client, way) AS client FROM chosen GROUP BY id, g) AS g
  JOIN observed AS o ON o.id = g.id
), hours AS (
  SELECT s.*, unnest(generate_series(time_bucket(INTERVAL 1 HOUR, s.started_at),
                                     time_bucket(INTERVAL 1 HOUR, greatest(s.started_at, s.ended_at - INTERVAL 1 MICROSECOND)),
                                     INTERVAL 1 HOUR)) AS bucket
  FROM stretches AS s
), versions AS (
  SELECT n.n, v.calico_version, v.valid_from, lead(v.valid_from) OVER (PARTITION BY n.n ORDER BY v.valid_from) AS valid_to
  FROM (SELECT cluster, node, calico_version, coalesce(valid_from, TIMESTAMPTZ '1970-01-01') AS valid_from FROM nodes) AS v
  JOIN names AS n ON n.cluster = v.cluster AND n.name = v.node
), versioned AS MATERIALIZED (
  SELECT h.bucket, h.g, v.calico_version, least(h.node, h.other) AS low, greatest(h.node, h.other) AS high, h.node, h.started_at,
         CASE WHEN h.bucket = time_bucket(INTERVAL 1 HOUR, h.started_at) THEN h.failure END AS failure,
         greatest(0, date_part('epoch', least(h.ended_at, h.bucket + INTERVAL 1 HOUR) - greatest(h.started_at, h.bucket))) / 3600
           AS hours
  FROM hours AS h
  LEFT JOIN versions AS v ON v.n = h.client AND h.bucket + INTERVAL 1 HOUR >= v.valid_from
   AND (v.valid_to IS NULL OR h.bucket + INTERVAL 1 HOUR < v.valid_to)
), by_end AS (
  SELECT bucket, g, calico_version, low, high, node, sum(hours) AS hours FROM versioned GROUP BY ALL
), by_pair AS (
  SELECT bucket, g, calico_version, low, high, max(hours) AS hours FROM by_end GROUP BY ALL
), exposure AS (
  SELECT bucket, g, calico_version, sum(hours) AS session_hours FROM by_pair GROUP BY ALL HAVING sum(hours) > 0
), planned AS (
  -- A loss belongs to planned work when an incident with such a cause covers it and no other incident does.
  SELECT g.g, i.started_at - INTERVAL 5 SECOND AS started_at, i.ended_at + INTERVAL 5 SECOND AS ended_at
  FROM incidents AS i JOIN groups AS g ON g.cluster = i.cluster AND g.group_name = i.group_name
  WHERE cause IN ('planned_restart', 'peer_deconfigured', 'startup_transient') AND NOT EXISTS (
    FROM incidents AS o
    WHERE o.cluster = i.cluster AND o.group_name = i.group_name
      AND o.cause NOT IN ('planned_restart', 'peer_deconfigured', 'startup_transient')
      AND o.started_at <= i.ended_at AND coalesce(o.ended_at, i.ended_at) >= i.started_at
  )
), failed AS MATERIALIZED (
  SELECT bucket, g, calico_version, failure AS category, count(*) AS failures
  FROM (
    SELECT DISTINCT v.bucket, v.g, v.calico_version, v.failure, v.low, v.high, time_bucket(INTERVAL 5 MINUTE, v.started_at)
    FROM versioned AS v
    WHERE v.failure IS NOT NULL AND NOT EXISTS (
      FROM planned AS p WHERE p.g = v.g AND v.started_at BETWEEN p.started_at AND p.ended_at
    )
  ) GROUP BY ALL
), kinds AS (
  SELECT DISTINCT g, category FROM failed
), sizes AS (
  SELECT cluster, group_name, ts, max(configured_peers) AS configured_peers FROM group_sizes GROUP BY ALL
), rows AS (
  SELECT e.bucket, g.cluster, g.group_name, k.category, e.calico_version, e.session_hours,
         CAST(coalesce(f.failures, 0) AS DOUBLE) AS failures
  FROM exposure AS e
  JOIN groups AS g ON g.g = e.g
  JOIN kinds AS k ON k.g = e.g
  LEFT JOIN failed AS f ON f.bucket = e.bucket AND f.g = e.g AND f.category = k.category
   AND f.calico_version IS NOT DISTINCT FROM e.calico_version
)
SELECT r.bucket, r.cluster, r.group_name, r.category, r.calico_version, z.configured_peers, r.session_hours,
       CAST(r.failures AS UBIGINT) AS failures, r.failures / r.session_hours AS rate,
       coalesce(l.low, r.failures * (1 - 1 / (9 * r.failures) - 1.96 / (3 * sqrt(r.failures))) ** 3) / r.session_hours
         AS rate_low,
       coalesce(l.high, (r.failures + 1) * (1 - 1 / (9 * (r.failures + 1)) + 1.96 / (3 * sqrt(r.failures + 1))) ** 3)
         / r.session_hours AS rate_high
FROM rows AS r
LEFT JOIN poisson_limits AS l ON l.failures = r.failures
ASOF LEFT JOIN sizes AS z ON z.cluster = r.cluster AND z.group_name = r.group_name AND r.bucket + INTERVAL 1 HOUR >= z.ts;
COMMENT ON VIEW failure_rates IS 'Failures per observed session-hour, by hour, group, category and version; hours without observation have no row.';
COMMENT ON COLUMN failure_rates.bucket IS 'Start of the hour, UTC.';
COMMENT ON COLUMN failure_rates.cluster IS 'Cluster.';
COMMENT ON COLUMN failure_rates.group_name IS 'Peering group.';
COMMENT ON COLUMN failure_rates.category IS 'Failure category.';
COMMENT ON COLUMN failure_rates.calico_version IS 'Version of calico/node at the client end; none where it is not known.';
COMMENT ON COLUMN failure_rates.configured_peers IS 'Configured peers of the largest reflector of the group by then.';
COMMENT ON COLUMN failure_rates.session_hours IS 'Observed session-hours: the denominator.';
COMMENT ON COLUMN failure_rates.failures IS 'Sessions that failed so; several failures of one session within five minutes are one.';
COMMENT ON COLUMN failure_rates.rate IS 'Failures per session-hour.';
COMMENT ON COLUMN failure_rates.rate_low IS 'Lower end of the 95 % Poisson interval.';
COMMENT ON COLUMN failure_rates.rate_high IS 'Upper end of the 95 % Poisson interval.';
