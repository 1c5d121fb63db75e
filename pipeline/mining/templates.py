"""Templates from distinct shapes, with drain3.

Only shapes are mined (a few thousand at most), on the driver, all of them, in sorted order: the same set of
shapes gives the same templates, whatever order, split or engine the lines came in. Shapes of two rules, or
of two components, never meet in one template, because the grammar decides meaning and the miner does not.
drain3 keeps no state between runs: its persistence stores code (jsonpickle), ours is two small tables.

Parameters follow what was measured on BIRD's messages: at drain3's defaults (similarity 0.4, depth 4) words
such as ``up`` and ``down`` turn into wildcards; at 0.9 and depth 8 they stay, and the order stops to matter.
Sentences that no rule knows may be joined more freely: 0.7 gave the best grouping on public log sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import polars as pl
from drain3.drain import Drain

SIMILARITY_OF_KNOWN = 0.9
SIMILARITY_OF_UNKNOWN = 0.7
DEPTH = 8
WILDCARD = "<*>"
OVERFLOW = "<overflow>"
MINED = 5_000
BEGINNING = 3

MINED_FROM = ("shape_id", "shape", "component", "rule", "category", "severity")
MINED_SCHEMA = pl.Schema({"shape_id": pl.UInt64, "template_id": pl.String})
TEXTS_SCHEMA = pl.Schema(
    {
        "template_id": pl.String,
        "template": pl.String,
        "component": pl.String,
        "rule": pl.String,
        "category": pl.String,
        "severity": pl.String,
    }
)


def template_id(component: str | None, template: str) -> str:
    """Content hash of component and text: 16 hexadecimal digits, the same on every machine."""
    digest = blake2b(f"{component or ''}\x1f{template}".encode(), digest_size=8)
    return digest.hexdigest()


def mine(shapes: pl.DataFrame, limit: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Mine all shapes (columns ``MINED_FROM``; others are not looked at).

    Returns the mapping shape → template and the texts, both sorted. A component with more than ``limit``
    templates counts the rest under ``<overflow>``, so that memory and readers stay bounded. Of the shapes of a rule
    (or of none) the first ``MINED`` are given to drain3, which compares each with all that begin alike: beyond
    that a template is how a shape begins.
    """
    texts = _Texts(limit)
    mapping = [MINED_SCHEMA.to_frame()]
    for component, rule, order in _groups(shapes):
        similarity = SIMILARITY_OF_KNOWN if rule else SIMILARITY_OF_UNKNOWN
        generalised = _generalise(shapes["shape"].gather(order.head(MINED)), similarity)
        for start in range(0, len(order), MINED):  # hostile logs have a million shapes: not all are held as objects
            rows = shapes[order.slice(start, MINED)]
            ids = [
                texts.identity(component, rule, text, category, severity)
                for text, category, severity in zip(
                    generalised or map(_beginning, rows["shape"]), rows["category"], rows["severity"], strict=True
                )
            ]
            generalised = []
            mapping.append(pl.DataFrame({"shape_id": rows["shape_id"], "template_id": ids}, schema=MINED_SCHEMA))
    return pl.concat(mapping).sort("shape_id"), texts.frame().sort("template_id")


def _groups(shapes: pl.DataFrame) -> Iterator[tuple[str | None, str | None, pl.Series]]:
    """Each component and rule with its rows in the order of shapes: numbers, for a sorted copy has all the texts."""
    numbered = shapes.select("component", "rule").with_row_index("row")
    found = numbered.group_by("component", "rule").agg("row").sort("component", "rule", nulls_last=True)
    for component, rule, rows in zip(*found.iter_columns(), strict=True):
        yield component, rule, rows.gather(shapes["shape"].gather(rows).arg_sort())


class _Texts:
    """The templates so far, at most ``limit`` of a component: what follows is counted as one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: dict[str, tuple[str | None, ...]] = {}
        self._of: Counter[str | None] = Counter()

    def identity(
        self, component: str | None, rule: str | None, text: str, category: str | None, severity: str | None
    ) -> str:
        """The id under which a shape with this template counts."""
        found = template_id(component, text)
        if found in self._found:
            return found
        if self._of[component] >= self._limit and text != OVERFLOW:
            return self.identity(component, None, OVERFLOW, "unclassified", "info")
        self._of[component] += 1
        self._found[found] = (text, component, rule, category, severity)
        return found

    def frame(self) -> pl.DataFrame:
        """All of them (``TEXTS_SCHEMA``)."""
        rows = [(identity, *columns) for identity, columns in self._found.items()]
        return pl.DataFrame(rows, schema=TEXTS_SCHEMA, orient="row")


def _beginning(shape: str) -> str:
    """The first words of a shape, and a mark for the rest."""
    words = shape.split(maxsplit=BEGINNING)
    return " ".join([*words[:BEGINNING], WILDCARD]) if len(words) > BEGINNING else " ".join(words)


def _generalise(shapes: Iterable[str], similarity: float) -> list[str]:
    """The template of each shape of one group; shapes come sorted."""
    drain = Drain(
        depth=DEPTH, sim_th=similarity, max_children=100, param_str=WILDCARD, parametrize_numeric_tokens=False
    )
    clusters = []
    for shape in shapes:
        # drain3 works on words: line ends inside a record become a visible sign so that they survive
        cluster, _ = drain.add_log_message(shape.replace("\n", " ⏎ "))
        clusters.append(cluster)
    return [cluster.get_template() for cluster in clusters]
