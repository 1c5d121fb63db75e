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

from collections.abc import Iterable
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
    """Mine all shapes (columns shape_id, shape, component, rule, category, severity).

    Returns the mapping shape → template and the texts, both sorted. A component with more than ``limit``
    templates counts the rest under ``<overflow>``, so that memory and readers stay bounded. Of the shapes of a rule
    (or of none) the first ``MINED`` are given to drain3, which compares each with all that begin alike: beyond
    that a template is how a shape begins.
    """
    mined: list[tuple[int, str]] = []
    texts: dict[str, tuple[str | None, ...]] = {}
    budget: dict[str | None, int] = {}
    ordered = shapes.sort("component", "rule", "shape", nulls_last=True)
    for (component, rule), group in ordered.group_by(["component", "rule"], maintain_order=True):
        rows = group.select("shape_id", "shape", "category", "severity").rows()
        similarity = SIMILARITY_OF_KNOWN if rule else SIMILARITY_OF_UNKNOWN
        generalised = _generalise((row[1] for row in rows[:MINED]), similarity)
        generalised += [_beginning(row[1]) for row in rows[MINED:]]
        for (shape_id, _, category, severity), text in zip(rows, generalised, strict=True):
            identity = template_id(component, text)
            if identity not in texts and budget.get(component, 0) >= limit:
                text, rule_of, category, severity = OVERFLOW, None, "unclassified", "info"
                identity = template_id(component, text)
            else:
                rule_of = rule
            if identity not in texts:
                budget[component] = budget.get(component, 0) + 1
                texts[identity] = (text, component, rule_of, category, severity)
            mined.append((shape_id, identity))
    mapping = pl.DataFrame(mined, schema=MINED_SCHEMA, orient="row").sort("shape_id")
    rows_of_texts = [(identity, *columns) for identity, columns in texts.items()]
    return mapping, pl.DataFrame(rows_of_texts, schema=TEXTS_SCHEMA, orient="row").sort("template_id")


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
