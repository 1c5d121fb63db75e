"""Understanding records: from the shape to the rule, from the rule to category, severity and fields."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

import polars as pl

from pipeline.errors import RulesetError
from pipeline.grammar.fields import FIELD_SCHEMA, extract
from pipeline.grammar.model import UNCLASSIFIED, Category, Explanation, Rule
from pipeline.grammar.rules import BUILT_IN, Grammar, read_grammar
from pipeline.literals import Needed

# Shapes remembered between calls. Real fleets have a few thousand; the bound is for hostile ones.
_REMEMBERED = 50_000

_SESSION = ("session_state", "session_bgp_state", "session_last_error")
SAID = ("shape", "rule", "category", "severity")
KIND = "kind"
_ROW = "__row"
RULE_NUMBER = "__rule"
_NO_RULE = -1


class Ruleset:
    """The grammar, ready to read records. Safe to share between threads; nothing in it changes an answer."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._known: dict[tuple[str, str], int] = {}
        self._needed_of: dict[str, Needed] = {}
        self._by_id = {rule.id: rule for rule in grammar.rules}

    @property
    def version(self) -> str:
        """Hash of the content of all data files; changes whenever any answer may change."""
        return self._grammar.version

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in the order of their files."""
        return self._grammar.rules

    @property
    def categories(self) -> dict[str, Category]:
        """The vocabulary by id."""
        return self._grammar.categories

    @property
    def families(self) -> tuple[str, ...]:
        """Families of records that rules can be written for."""
        return tuple(self._grammar.families)

    def rule(self, rule_id: str) -> Rule:
        """The rule of that id; RulesetError when there is none."""
        try:
            return self._by_id[rule_id]
        except KeyError:
            raise RulesetError(f"no rule {rule_id}; `Ruleset.rules` lists them") from None

    @property
    def protected(self) -> tuple[str, ...]:
        """Words that keep their digits in shapes, and prefixes (those without a digit) that stay before a mark."""
        return self._grammar.shaper.words

    def shape_keys(self, bodies: pl.Series, *, trimmed: bool = False) -> pl.Series:
        """A text for each body, equal where the shapes are; cheaper than the shape itself (see ``Shaper.keys``)."""
        return self._grammar.shaper.keys(bodies, trimmed=trimmed)

    def shapes(self, bodies: pl.Series) -> pl.Series:
        """The shape of each body."""
        return self._grammar.shaper.shapes(bodies)

    def understand(self, frame: pl.DataFrame) -> pl.DataFrame:
        """What each record says.

        In: ``family``, ``component``, ``level``, ``body`` (String, nulls allowed) and any other columns.
        Out: the same rows in the same order with ``shape, rule, category, severity`` and the columns of
        ``fields.FIELD_SCHEMA`` added; ``component`` and ``level`` are filled from the rule where null.
        The answer for a row depends on that row alone. A family that no rule knows is left unclassified.
        """
        return self.with_fields(self.judge(frame)).select(*frame.columns, *SAID, *FIELD_SCHEMA)

    def judge(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The first half of :meth:`understand`: all but the fields, and ``kind``, a number for each distinct
        family and shape of this frame. Records that only need to be counted need no more."""
        work = frame.with_columns(pl.col("component", "level", "family", "body").cast(pl.String))
        work = work.with_columns(self._grammar.shaper.keys(work["body"]).alias("__key"))
        work = work.join(self._judge(work), on=["family", "__key"], how="left", nulls_equal=True, maintain_order="left")
        level = pl.col("level").fill_null(pl.col("__level"))
        return work.with_columns(
            pl.col("component").fill_null(pl.col("__component")),
            level,
            pl.col("severity").fill_null(_severity_of(level)),
        ).select(*frame.columns, *SAID, KIND, RULE_NUMBER)

    def with_fields(self, judged: pl.DataFrame) -> pl.DataFrame:
        """The second half: the fields of ``judged`` rows, taken out of their bodies."""
        work = judged.with_row_index(_ROW)
        work = work.join(self._fields(work), on=_ROW, how="left", maintain_order="left")
        return work.with_columns(
            pl.col("peers").fill_null(pl.lit([], dtype=pl.List(pl.String))),
            pl.col("params").fill_null("{}"),
        ).drop(_ROW, RULE_NUMBER)

    def explain(self, family: str, component: str | None, body: str, level: str | None = None) -> Explanation:
        """How one body is read, stage by stage; the same answer as :meth:`understand` gives."""
        schema = {"family": pl.String, "component": pl.String, "level": pl.String, "body": pl.String}
        one = pl.DataFrame({"family": [family], "component": [component], "level": [level], "body": [body]}, schema)
        row = self.understand(one).row(0, named=True)
        rule = self._by_id.get(row["rule"] or "")
        order = self._grammar.families.get(family, ())
        tried = len(order) if rule is None else [self.rules[i].id for i in order].index(rule.id)
        params: dict[str, str] = json.loads(row["params"])
        stages = [("family", family), ("shape", row["shape"]), ("rules tried before", str(tried))]
        stages.append(("rule", f"{rule.id} ({rule.file})" if rule else "none"))
        if rule:
            stages += [("pattern", rule.pattern), ("meaning", rule.meaning)]
        stages.append(("category", f"{row['category']}, {row['severity']}"))
        return Explanation(
            family=family,
            body=body,
            tried=tried,
            rule=rule,
            params=params,
            peers=tuple(row["peers"]),
            stages=tuple(stages),
            **{
                name: row[name]
                for name in (
                    "shape",
                    "category",
                    "severity",
                    "component",
                    "level",
                    "protocol",
                    "peer",
                    *_SESSION,
                )
            },
        )

    def _judge(self, work: pl.DataFrame) -> pl.DataFrame:
        """One row per distinct (family, key): the shape and what its rule says of every record of it."""
        keys = work.select("family", "__key").unique(maintain_order=True)
        keys = keys.with_columns(shape=self._grammar.shaper.reveal(keys["__key"]))
        pairs = list(zip(keys["family"].to_list(), keys["shape"].to_list(), strict=True))
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        found = self._match(new)
        numbers = [found[pair] if pair in found else self._known.get(pair, _NO_RULE) for pair in pairs]
        self._remember(found)
        told = keys.with_columns(pl.Series(RULE_NUMBER, numbers, dtype=pl.Int32)).join(
            self._rule_table, on=RULE_NUMBER, how="left", maintain_order="left"
        )
        return told.with_row_index(KIND)

    def _match(self, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """The number of the first rule of its family that matches each shape, or _NO_RULE."""
        found = dict.fromkeys(pairs, _NO_RULE)
        for family in dict.fromkeys(family for family, _ in pairs):
            shapes = [shape for name, shape in pairs if name == family]
            ordered = self._grammar.families.get(family, ())
            possible: set[int] = set().union(*map(self._needed(family).may_match, shapes))
            order = [number for place, number in enumerate(ordered) if place in possible]
            # All rules at once: Polars compiles and runs them side by side, and shapes are few.
            asked = {str(n): pl.col("shape").str.contains(self.rules[n].shape_pattern) for n in order}
            hits = pl.DataFrame({"shape": shapes}, {"shape": pl.String}).select(**asked)
            for number in reversed(order):
                found.update(((family, shapes[i]), number) for i in hits[str(number)].arg_true())
        return found

    def _needed(self, family: str) -> Needed:
        """What the rules of a family need, in their order; most runs see few families."""
        if family not in self._needed_of:
            ordered = self._grammar.families.get(family, ())
            self._needed_of[family] = Needed([self.rules[number].shape_pattern for number in ordered])
        return self._needed_of[family]

    def _remember(self, found: dict[tuple[str, str], int]) -> None:
        if len(self._known) + len(found) > _REMEMBERED:
            self._known = {}
        self._known.update(islice(found.items(), _REMEMBERED))

    @cached_property
    def _rule_table(self) -> pl.DataFrame:
        rows = [
            (number, rule.id, rule.category, rule.severity, rule.component, rule.level)
            for number, rule in enumerate(self.rules)
        ]
        rows.append((_NO_RULE, None, UNCLASSIFIED, None, None, None))  # type: ignore[arg-type]
        names = ("rule", "category", "severity", "__component", "__level")
        return pl.DataFrame(rows, {RULE_NUMBER: pl.Int32, **dict.fromkeys(names, pl.String)}, orient="row")

    def _fields(self, work: pl.DataFrame) -> pl.DataFrame:
        wanting = {number: rule for number, rule in enumerate(self.rules) if rule.wants_fields}
        rows = (
            work.lazy()
            .filter(pl.col(RULE_NUMBER).is_in(list(wanting)))
            .select(_ROW, RULE_NUMBER, pl.col("body").str.strip_chars())
            .collect()
        )
        return extract(wanting, rows, _ROW, RULE_NUMBER)


def _severity_of(level: pl.Expr) -> pl.Expr:
    return (
        pl.when(level.is_in(["error", "fatal"]))
        .then(pl.lit("error"))
        .when(level == "warning")
        .then(pl.lit("warning"))
        .otherwise(pl.lit("info"))
    )


@lru_cache(maxsize=4)
def load_ruleset(folder: Path = BUILT_IN) -> Ruleset:
    """The ruleset of a folder of grammar data (the built-in one by default), read once.

    Raises RulesetError for data that contradicts itself. ``check.check_ruleset`` also reads every example.
    """
    return Ruleset(read_grammar(folder))
