"""Taking the fields of records out of their bodies, one rule at a time, on whole columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import polars as pl

from pipeline.grammar.model import TYPED_GROUPS, Rule, Session
from pipeline.grammar.peers import clean_peer, peer_of_protocol

# What extraction adds to a record, in this order.
FIELD_SCHEMA: dict[str, pl.DataType] = {
    "protocol": pl.String(),
    "peer": pl.String(),
    "peers": pl.List(pl.String()),
    "params": pl.String(),
    "session_state": pl.String(),
    "session_bgp_state": pl.String(),
    "session_last_error": pl.String(),
}

_PLACE = re.compile(r"\{([a-z_]+)\}")
_EMPTY_PEERS = pl.lit([], dtype=pl.List(pl.String))
# What stands where a protocol's name would, in messages of the daemon as a whole.
_NO_PROTOCOL = ("BGP", "SOCK", "IO", "KRT", "KIF", "Netlink")
# The groups that speak of the session are columns, not parameters.
_COLUMNS = (*TYPED_GROUPS, "state", "bgp_state", "last_error")


def extract(rules: Mapping[int, Rule], rows: pl.DataFrame, keep: str, number: str) -> pl.DataFrame:
    """Fields of rows that belong to rules.

    ``rows`` has the columns ``keep`` (a row number), ``number`` (the key of the rule in ``rules``) and
    ``body``; the answer has ``keep`` and FIELD_SCHEMA, rows in any order. A body whose shape belongs to the
    rule but whose text does not fit the pattern to the letter (an address masked by hand) has no fields;
    what the rule says of the session without naming a group still holds.
    """
    parts = rows.partition_by(number, include_key=False, as_dict=True)
    taken = [_taken(rules[key], part, keep) for (key,), part in parts.items()]
    if not taken:
        return pl.DataFrame(schema={keep: rows.schema[keep], **FIELD_SCHEMA})
    return _with_peers(pl.concat(taken)).select(keep, *FIELD_SCHEMA)


def _taken(rule: Rule, rows: pl.DataFrame, keep: str) -> pl.DataFrame:
    """What the groups of one rule hold, before addresses are looked at."""
    if rule.groups:
        rows = rows["body"].str.extract_groups(rule.body_pattern).struct.unnest().insert_column(0, rows[keep])
    # a group that took part in no match, such as that of an option, is no parameter of any row
    lacks = {name: rows[name].null_count() for name in rule.groups if name not in _COLUMNS}
    named = tuple(name for name, count in lacks.items() if count < rows.height)
    params = _params(named, any(lacks[name] for name in named))
    return rows.select_seq(keep, *_wanted(rule.groups, rule.session), params)


@lru_cache(maxsize=1024)
def _wanted(groups: tuple[str, ...], session: Session | None) -> tuple[pl.Expr, ...]:
    """What is made of the groups of a rule; to build it takes as long as to run it on thousands of rows."""
    return (
        _group(groups, "protocol").alias("protocol"),
        _group(groups, "peer").alias("__peer"),
        _group(groups, "peers").alias("__peers"),
        *_session(session),
    )


def _with_peers(taken: pl.DataFrame) -> pl.DataFrame:
    """Add ``peer`` (printed, or from the protocol's name) and ``peers`` (the list, or just the peer)."""
    session = ("protocol", "session_state", "session_bgp_state", "session_last_error")
    whole = pl.col("protocol").is_in(_NO_PROTOCOL).fill_null(False)
    taken = taken.with_columns(pl.when(~whole).then(pl.col(name)).alias(name) for name in session)
    peer = pl.coalesce(_mapped(taken["__peer"], clean_peer), _mapped(taken["protocol"], peer_of_protocol))
    taken = taken.with_columns(peer=peer)
    one = pl.when(pl.col("peer").is_null()).then(_EMPTY_PEERS).otherwise(pl.concat_list("peer"))
    if taken["__peers"].null_count() == len(taken):
        return taken.with_columns(peers=one)
    element = pl.element().str.strip_chars(" .").str.replace(r"\.port\.[0-9]+$", "")
    address = pl.element().str.contains(r"^[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*$")
    listed = pl.col("__peers").str.split(",").list.eval(element).list.eval(pl.element().filter(address))
    return taken.with_columns(peers=pl.when(pl.col("__peers").is_null()).then(one).otherwise(listed))


def _group(groups: tuple[str, ...], name: str) -> pl.Expr:
    # A group that did not take part in the match is null; one that matched nothing is no better.
    if name not in groups:
        return pl.lit(None, dtype=pl.String)
    return pl.when(pl.col(name) != "").then(pl.col(name))


def _mapped(texts: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    distinct = texts.drop_nulls().unique().to_list()
    if not distinct:
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.String)
    answers = [function(text) for text in distinct]
    return texts.replace_strict(distinct, answers, default=None, return_dtype=pl.String)


@lru_cache(maxsize=1024)
def _params(names: tuple[str, ...], gaps: bool) -> pl.Expr:
    """The groups of these names as a JSON object; with ``gaps``, some of them took part in no match."""
    if not names:
        return pl.lit("{}").alias("params")
    written = pl.struct(names).struct.json_encode().alias("params")
    if not gaps:
        return written
    # Those are left out. A quote inside a value is escaped, so only a real key can stand before ":null" without a
    # backslash.
    bare = written.str.replace_all(r'"[a-z0-9_]+":null,?', "").str.replace(r",\}$", "}")
    return pl.when(written.str.contains(":null", literal=True)).then(bare).otherwise(written)


def _session(session: Session | None) -> list[pl.Expr]:
    nothing = [pl.lit(None, dtype=pl.String).alias(f"session_{name}") for name in ("state", "bgp_state", "last_error")]
    if session is None:
        return nothing
    texts = [
        _filled(session.state).str.to_lowercase().alias("session_state"),
        _filled(session.bgp_state).alias("session_bgp_state"),
        _filled(session.last_error).str.strip_chars().alias("session_last_error"),
    ]
    if session.unless is None:
        return texts
    silent = pl.col(session.unless).fill_null("") != ""
    return [pl.when(~silent).then(text).alias(text.meta.output_name()) for text in texts]


def _filled(template: str | None) -> pl.Expr:
    """The text of a template such as ``Received: {error}``; null when its only group is."""
    if template is None:
        return pl.lit(None, dtype=pl.String)
    parts = _PLACE.split(template)
    if parts[0] == "" and len(parts) == 3 and parts[2] == "":
        return pl.when(pl.col(parts[1]) != "").then(pl.col(parts[1]))
    pieces = [
        pl.col(part).fill_null("") if odd else pl.lit(part)
        for odd, part in zip([False, True] * len(parts), parts, strict=False)
    ]
    return pl.concat_str(pieces)


def places(template: str | None) -> list[str]:
    """Groups that a session template names."""
    return _PLACE.findall(template) if template else []
