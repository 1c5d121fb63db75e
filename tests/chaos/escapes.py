"""Tries to get out of the SQL sandbox: to read or write a file, to load code, to change data or settings."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import QueryError
from pipeline.warehouse.reader import open_snapshot

CANARY = "canary-7f3a91"
READERS = (
    "read_csv('{f}')", "read_csv_auto('{f}')", "read_text('{f}')", "read_blob('{f}')", "read_json('{f}')", "read_json_auto('{f}')",
    "read_parquet('{f}')", "parquet_scan('{f}')", "'{f}'", "glob('{d}/*')", "sniff_csv('{f}')", "read_ndjson('{f}')",
    "parquet_metadata('{f}')", "parquet_schema('{f}')", "read_duckdb('{f}')", "sqlite_scan('{f}', 'x')", "postgres_scan('host=x','a','b')",
    "iceberg_scan('{d}')", "delta_scan('{d}')", "st_read('{f}')", "read_xlsx('{f}')", "query('SELECT * FROM ''{f}''')",
    "query_table('{f}')", "json_execute_serialized_sql(json_serialize_sql('SELECT * FROM ''{f}'''))", "read_csv(['{f}'])",
    "read_csv('file://{f}')", "read_text('http://127.0.0.1:1/x')", "read_parquet('s3://b/x')", "read_text('{d}/*')",
)  # fmt: skip
WRAPS = (
    "SELECT * FROM {t}", "FROM {t}", "WITH x AS (SELECT * FROM {t}) SELECT * FROM x", "SELECT (SELECT any_value(COLUMNS(*)) FROM {t})",
    "EXPLAIN ANALYZE SELECT * FROM {t}", "SUMMARIZE SELECT * FROM {t}", "DESCRIBE SELECT * FROM {t}", "PIVOT {t} ON 1",
    "SELECT * FROM (VALUES (1)) v(x), LATERAL (SELECT * FROM {t})", "SELECT * FROM loads UNION ALL BY NAME SELECT * FROM {t}",
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM {t}) THEN 1 END", "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, {t} WHERE n < 3) FROM r",
)  # fmt: skip
STATEMENTS = (
    "COPY loads TO '{w}'", "COPY (SELECT 1) TO '{w}' (FORMAT parquet)", "EXPORT DATABASE '{w}'", "IMPORT DATABASE '{d}'", "ATTACH '{w}'",
    "ATTACH '{w}' AS x (TYPE sqlite)", "ATTACH ':memory:' AS m", "INSTALL httpfs", "LOAD httpfs", "LOAD '{f}'", "FORCE INSTALL json FROM 'http://127.0.0.1:1'",
    "SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration", "SET temp_directory = '{d}'",
    "SET memory_limit = '99GB'", "SET secret_directory = '{d}'", "SET log_query_path = '{w}'", "SET profiling_output = '{w}'", "PRAGMA enable_profiling",
    "PRAGMA database_list", "PRAGMA enable_external_access = true", "SET allow_unsigned_extensions = true", "SET custom_extension_repository = '{d}'",
    "SET file_search_path = '{d}'", "SET VARIABLE x = 1", "CALL pragma_version()", "CHECKPOINT", "VACUUM", "DROP TABLE loads", "DELETE FROM loads",
    "UPDATE loads SET cluster = 'x'", "INSERT INTO loads SELECT * FROM loads", "CREATE TABLE x AS SELECT 1", "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1", "CREATE MACRO x() AS 1", "CREATE FUNCTION x() AS TABLE SELECT * FROM '{f}'", "CREATE SECRET s (TYPE s3)", "CREATE TYPE x AS INT",
    "ALTER TABLE loads ADD COLUMN x INT", "TRUNCATE loads", "MERGE INTO loads USING loads l ON true WHEN MATCHED THEN DELETE", "BEGIN", "COMMIT", "ROLLBACK",
    "USE memory", "DETACH x", "PREPARE p AS SELECT 1", "EXECUTE p", "DEALLOCATE p", "LOAD 'x'; SELECT 1", "SELECT 1; DROP TABLE loads", "SELECT 1; SELECT 2", "",
    ";", "--", "/* x */", "SELECT getenv('PATH')", "SELECT * FROM duckdb_secrets()", "SELECT * FROM pragma_storage_info('{f}')",
    "SELECT current_setting('access_mode')", "SELECT nextval('x')", "COMMENT ON TABLE loads IS 'x'", "SELECT write_log('x')", "CALL enable_logging('{w}')",
    "CALL enable_peg_parser()", "SELECT * FROM duckdb_extensions()", "FROM which_secret('s3://x', 's3')", "SELECT * FROM python_scan()", "SELECT * FROM sys",
    "SELECT * FROM canary_frame", "FROM json_execute_serialized_sql('x')", "EXPLAIN ANALYZE DELETE FROM loads", "EXPLAIN ANALYZE COPY loads TO '{w}'",
    "EXPLAIN COPY loads TO '{w}'", "WITH x AS (DELETE FROM loads RETURNING *) SELECT * FROM x", "FROM (DESCRIBE (SELECT * FROM '{f}'))",
    "SELECT repeat('a', 2000000000)", "SELECT * FROM range(10000000000)", "SELECT list_reduce(range(100000000), (a, b) -> a + b)",
)  # fmt: skip


@dataclass
class Tried:
    """What the attempts did."""

    attempts: int = 0
    refused: int = 0
    escapes: list[str] = field(default_factory=list)


def attempts(folder: Path, extra: int, seed: int) -> Iterator[str]:
    """Every statement and every way round it, then ``extra`` mutations of them."""
    places = {"f": str(folder / "canary.csv"), "d": str(folder), "w": str(folder / "written")}
    plain = [text.format(**places) if "{" in text else text for text in STATEMENTS]
    plain += [wrap.format(t=reader.format(**places)) for wrap in WRAPS for reader in READERS]
    yield from plain
    rng = random.Random(seed)
    for _ in range(extra):
        text = rng.choice(plain)
        at = rng.randint(0, len(text))
        piece = rng.choice(
            (
                ";",
                "/**/",
                "--\n",
                "\0",
                "'",
                '"',
                "$$",
                "(",
                ")",
                " UNION SELECT 1 ",
                "\u202e",
                "SELECT ",
                rng.choice(plain),
            )
        )
        yield rng.choice(
            (
                text[:at] + piece + text[at:],
                text.swapcase(),
                text + "; " + rng.choice(plain),
                f"EXPLAIN {text}",
                f"({text})",
            )
        )


def escape(warehouse: Path, folder: Path, extra: int = 200, seed: int = 1) -> Tried:
    """Try them all on the published snapshot of ``warehouse``; ``folder`` holds a file that must stay unread."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "canary.csv").write_text(f"{CANARY}\n{CANARY}\n")
    before = sorted(path.name for path in folder.iterdir())
    canary_frame = [CANARY]
    tried = Tried()
    with open_snapshot(warehouse) as snapshot:
        fingerprint = _fingerprint(snapshot.path)
        settings = snapshot.frame("SELECT name, value FROM duckdb_settings() ORDER BY ALL").rows()
        for query in attempts(folder, extra, seed):
            tried.attempts += 1
            try:
                result = snapshot.query(query, timeout_s=3.0, max_rows=1000)
            except QueryError:
                tried.refused += 1
                continue
            except Exception as exc:  # noqa: BLE001 - any other error is a finding
                tried.escapes.append(f"{query[:120]}: {type(exc).__name__}: {exc}")
                continue
            if CANARY in str(result.frame.rows()).replace(query, ""):
                tried.escapes.append(f"{query[:120]}: read a file")
        del canary_frame
        if snapshot.frame("SELECT name, value FROM duckdb_settings() ORDER BY ALL").rows() != settings:
            tried.escapes.append("a setting changed")
        if _fingerprint(snapshot.path) != fingerprint:
            tried.escapes.append("the snapshot changed")
    if sorted(path.name for path in folder.iterdir()) != before:
        tried.escapes.append("a file was written")
    return tried


def _fingerprint(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes()).hexdigest()
