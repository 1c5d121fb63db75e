"""The range of Calico releases that a line's place in the source or BIRD's version allows.

Data: ``fingerprints.toml``. Such a range is an inference and is called one wherever it is shown.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from pipeline.errors import RulesetError
from pipeline.inventory.releases import Releases, combined

PATH = Path(__file__).with_name("fingerprints.toml")
FACT = "calico_version_inferred"
_BIRD = re.compile(r"\+(birdv\d+\.\d+\.\d+)")


@dataclass(frozen=True)
class Message:
    """One message: the rules that read it, its text where it is quoted, and where it stood in which releases."""

    rules: frozenset[str]
    embedded: str | None
    places: dict[str, Releases]


@dataclass(frozen=True)
class Fingerprints:
    """All messages, and what BIRD's versions say."""

    messages: tuple[Message, ...]
    birds: dict[str, Releases]

    @property
    def rules(self) -> list[str]:
        """Rules whose records may carry a fingerprint."""
        return sorted({rule for message in self.messages for rule in message.rules})

    def of_line(self, rule: str, code: str) -> Releases | None:
        """Releases in which the message of ``rule`` stood at ``code`` (``client.go 1036``)."""
        for message in self.messages:
            if rule in message.rules and code in message.places:
                return message.places[code]
        return None

    def of_bird(self, version: str) -> Releases | None:
        """Releases that ship this BIRD; only Calico's own builds say so in their version."""
        match = _BIRD.search(version)
        return self.birds.get(match[1]) if match else None


@lru_cache(maxsize=2)
def load_fingerprints(path: Path = PATH) -> Fingerprints:
    """Read the table.

    Raises:
        RulesetError: the file is no such table.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        messages = tuple(
            Message(frozenset(entry["rules"]), entry.get("embedded"), _places(entry)) for entry in table["message"]
        )
        birds = {name: Releases.of(ranges) for name, ranges in table["bird"].items()}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RulesetError(f"{path}: no table of fingerprints ({error}); correct the file") from error
    return Fingerprints(messages, birds)


def inferred_versions(node_facts: pl.DataFrame, nodes: Iterable[str]) -> dict[str, Releases]:
    """The releases that fit all that was inferred of each of the nodes (of the newest facts, where not all fit).

    ``node_facts`` has the columns node, fact, value, observed_at; nodes of which nothing was inferred are left out.
    """
    mine = node_facts.filter((pl.col("fact") == FACT) & pl.col("node").is_in(list(nodes)))
    found: dict[str, list[Releases]] = {}
    for node, value in mine.sort("observed_at", nulls_last=False).select("node", "value").iter_rows():
        found.setdefault(node, []).append(Releases.of([value]))
    return {node: combined(claims) for node, claims in sorted(found.items())}


def _places(entry: dict[str, object]) -> dict[str, Releases]:
    """Places with their releases; ``near`` also gives those of the lines around each, all that fit together."""
    found: dict[str, Releases] = {}
    near = int(str(entry.get("near", 0)))
    lines = entry["lines"]
    assert isinstance(lines, list)
    for line in lines:
        file, _, number = str(line["at"]).partition(" ")
        for shift in range(-near, near + 1):
            place = f"{file} {int(number) + shift}"
            releases = Releases.of(line["in"])
            found[place] = found[place] | releases if place in found else releases
    return found
