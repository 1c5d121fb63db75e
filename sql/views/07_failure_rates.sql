-- Failures per observed session-hour. Only hours in which an end was observed count: a bucket without them has
-- no row, and a group without failures has rows with 0. A session seen from both ends is one session: its hours
-- are those of the end that was observed longer. Work that somebody planned is no failure. The limits are the exact Poisson ones
-- (Garwood) up to 100 failures, from there on Byar's approximation of them (within 0.01 %).
CREATE OR REPLACE VIEW failure_rates AS
WITH observed AS (
  SELECT cluster, node, coalesce(peer_node, peer) AS other, state, category,
         greatest(started_at, seen_from) AS started_at, ended_at,
         least(node, coalesce(peer_node, peer)) || ' ' || greatest(node, coalesce(peer_node, peer)) AS pair,
         row_number() OVER () AS id
  FROM session_intervals
  WHERE state IS NOT NULL AND state <> 'unknown' AND started_at IS NOT NULL AND node IS NOT NULL
    AND coalesce(peer_node, peer) IS NOT NULL
    AND coalesce(seen_from < ended_at, true) -- what only a later table tells was not observed
), horizon AS (
  SELECT cluster, max(greatest(started_at, coalesce(ended_at, started_at))) AS last_at FROM session_intervals GROUP BY cluster
), held AS (
  -- Who was the hub of a group, or a node of a mesh, from when to when; what the first inventory says holds since ever.
  SELECT cluster, group_name, kind = 'mesh' AS meshed, member,
         min(CASE WHEN is_first THEN TIMESTAMPTZ '-infinity' ELSE valid_from END) AS since,
         max(coalesce(valid_to, TIMESTAMPTZ 'infinity')) AS until
  FROM (
    SELECT *, valid_from IS NULL OR valid_from = min(valid_from) OVER (PARTITION BY cluster) AS is_first,
           unnest(CASE WHEN kind = 'mesh' THEN members ELSE reflectors END) AS member
    FROM bgp_groups
  ) GROUP BY ALL
), ways AS (
  -- A session is of the group of the hub at either end, of a mesh by both ends.
  SELECT o.id, o.started_at, h.group_name, o.other AS client, h.since, h.until, 1 AS way
  FROM observed AS o JOIN held AS h ON h.cluster = o.cluster AND h.member = o.node AND NOT h.meshed
  UNION ALL
  SELECT o.id, o.started_at, h.group_name, o.node, h.since, h.until, 2
  FROM observed AS o JOIN held AS h ON h.cluster = o.cluster AND h.member = o.other AND NOT h.meshed
  UNION ALL
  SELECT o.id, o.started_at, h.group_name, o.node, greatest(h.since, f.since), least(h.until, f.until), 3
  FROM observed AS o
  JOIN held AS h ON h.cluster = o.cluster AND h.member = o.node AND h.meshed
  JOIN held AS f ON f.cluster = o.cluster AND f.member = o.other AND f.meshed AND f.group_name = h.group_name
), grouped AS (
  -- A stretch counts for the group that had the session when it began; a session that no inventory knew by then,
  -- for the first group that has it afterwards; else for the last that had it.
  SELECT id, group_name, client FROM (
    SELECT *, CASE WHEN since > started_at THEN 1 WHEN until <= started_at THEN 2 ELSE 0 END AS place,
           CASE WHEN since > started_at THEN epoch(since) WHEN until <= started_at THEN -epoch(until) ELSE 0 END AS away
    FROM ways
    QUALIFY row_number() OVER (PARTITION BY id, group_name ORDER BY place, away, way) = 1
  )
  QUALIFY rank() OVER (PARTITION BY id ORDER BY place, away) = 1
), stretches AS (
  SELECT o.* REPLACE (coalesce(o.ended_at, h.last_at) AS ended_at), g.group_name, g.client
  FROM grouped AS g JOIN observed AS o ON o.id = g.id JOIN horizon AS h ON h.cluster = o.cluster
), hours AS (
  SELECT s.*, unnest(generate_series(time_bucket(INTERVAL 1 HOUR, s.started_at),
                                     time_bucket(INTERVAL 1 HOUR, greatest(s.started_at, s.ended_at - INTERVAL 1 MICROSECOND)),
                                     INTERVAL 1 HOUR)) AS bucket
  FROM stretches AS s
), sliced AS (
  SELECT *, greatest(0, date_part('epoch', least(ended_at, bucket + INTERVAL 1 HOUR) - greatest(started_at, bucket))) / 3600 AS hours
  FROM hours
), versioned AS (
  SELECT s.*, n.calico_version
  FROM sliced AS s ASOF LEFT JOIN (
    SELECT cluster, node, calico_version, coalesce(valid_from, TIMESTAMPTZ '1970-01-01') AS valid_from FROM nodes
  ) AS n ON n.cluster = s.cluster AND n.node = s.client AND s.bucket + INTERVAL 1 HOUR >= n.valid_from
), by_end AS (
  SELECT bucket, cluster, group_name, calico_version, pair, node, sum(hours) AS hours FROM versioned GROUP BY ALL
), by_pair AS (
  SELECT bucket, cluster, group_name, calico_version, pair, max(hours) AS hours FROM by_end GROUP BY ALL
), exposure AS (
  SELECT bucket, cluster, group_name, calico_version, sum(hours) AS session_hours
  FROM by_pair GROUP BY ALL HAVING sum(hours) > 0
), planned AS (
  -- A loss belongs to planned work when an incident with such a cause covers it and no other incident does.
  SELECT cluster, group_name, started_at - INTERVAL 5 SECOND AS started_at, ended_at + INTERVAL 5 SECOND AS ended_at
  FROM incidents AS i
  WHERE cause IN ('planned_restart', 'peer_deconfigured', 'startup_transient') AND NOT EXISTS (
    FROM incidents AS o
    WHERE o.cluster = i.cluster AND o.group_name = i.group_name
      AND o.cause NOT IN ('planned_restart', 'peer_deconfigured', 'startup_transient')
      AND o.started_at <= i.ended_at AND coalesce(o.ended_at, i.ended_at) >= i.started_at
  )
), failed AS (
  SELECT bucket, cluster, group_name, calico_version, category,
         count(DISTINCT pair || ' ' || epoch_us(time_bucket(INTERVAL 5 MINUTE, started_at))) AS failures
  FROM versioned
  WHERE state <> 'up' AND category IS NOT NULL AND category <> 'benign'
    AND bucket = time_bucket(INTERVAL 1 HOUR, started_at)
    AND NOT EXISTS (
      FROM planned AS p WHERE p.cluster = versioned.cluster AND p.group_name = versioned.group_name
       AND versioned.started_at BETWEEN p.started_at AND p.ended_at
    )
  GROUP BY ALL
), kinds AS (
  SELECT DISTINCT cluster, group_name, category FROM failed
), sizes AS (
  SELECT cluster, group_name, ts, max(configured_peers) AS configured_peers FROM group_sizes GROUP BY ALL
), rows AS (
  SELECT e.bucket, e.cluster, e.group_name, k.category, e.calico_version, e.session_hours,
         CAST(coalesce(f.failures, 0) AS DOUBLE) AS failures
  FROM exposure AS e
  JOIN kinds AS k ON k.cluster = e.cluster AND k.group_name = e.group_name
  LEFT JOIN failed AS f ON f.bucket = e.bucket AND f.cluster = e.cluster AND f.group_name = e.group_name
   AND f.category = k.category AND f.calico_version IS NOT DISTINCT FROM e.calico_version
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
