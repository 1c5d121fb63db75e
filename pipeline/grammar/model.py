"""What the grammar is made of: categories, rules, and the answer to "how was this line read?"."""

from __future__ import annotations

from dataclasses import dataclass, field

SEVERITIES = ("info", "warning", "error", "critical")
LEVELS = ("trace", "debug", "info", "warning", "error", "fatal")
UNCLASSIFIED = "unclassified"
BENIGN = "benign"

# Groups of a pattern that fill a column of their own; every other group becomes a parameter.
TYPED_GROUPS = ("protocol", "peer", "peers")


@dataclass(frozen=True, slots=True)
class Category:
    """One word of the vocabulary: what a record says."""

    id: str
    definition: str
    severity: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class Session:
    """What a rule says of this end of a session. Texts may name groups of the pattern as ``{group}``.

    ``unless`` names a group; where it took part in the match (a channel of a protocol, not the protocol
    itself), the rule says nothing of the session.
    """

    state: str | None = None
    bgp_state: str | None = None
    last_error: str | None = None
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A line (the body of a record) that belongs to the rule, and the fields it must yield."""

    line: str
    family: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a record can be worded, and what it means.

    ``shape_pattern`` decides (it is matched against the shape), ``body_pattern`` takes the fields out of
    the body. Both come from ``pattern`` by expanding its macros in two ways.
    """

    id: str
    file: str
    families: tuple[str, ...]
    pattern: str
    shape_pattern: str
    body_pattern: str
    groups: tuple[str, ...]
    category: str
    severity: str
    level: str | None
    component: str | None
    meaning: str
    cite: str | None
    session: Session | None
    examples: tuple[Example, ...]

    @property
    def wants_fields(self) -> bool:
        """Whether there is anything to take out of a body of this rule."""
        return bool(self.groups) or self.session is not None


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one body was read: the stages in order, and what came out.

    ``stages`` are (name, text) pairs; ``tried`` counts the rules that were asked before the one that
    matched; ``rule`` is None for an unclassified line.
    """

    family: str
    body: str
    shape: str
    tried: int
    rule: Rule | None
    category: str
    severity: str
    component: str | None
    level: str | None
    protocol: str | None
    peer: str | None
    peers: tuple[str, ...]
    params: dict[str, str]
    session_state: str | None
    session_bgp_state: str | None
    session_last_error: str | None
    stages: tuple[tuple[str, str], ...]
