"""Where the readers of a transcript put their rows, and what they know of the place they are in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from pipeline.status.lines import Line
from pipeline.status.model import ConsoleFacts, NodeFact, Record, Reject, Resource, State
from pipeline.status.names import told_apart
from pipeline.status.stamps import held_since, since_at


@dataclass
class Sink:
    """Collects rows. ``now``/``now_source`` is the time of the snapshot the current line belongs to.

    ``offset`` is by how much the daemon prints its own times ahead of that clock: the difference of two zones.
    """

    tz: tzinfo
    now: datetime | None = None
    now_source: str = "none"
    offset: timedelta = timedelta(0)
    segment: str = ""
    columns: list[tuple[str, int]] = field(default_factory=list)
    host: str | None = None
    hosts: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)
    elsewhere: bool = False
    pod: str | None = None
    interface: str = ""
    neighbor: str = ""
    event_anchor: datetime | None = None
    anchor_sought: bool = False
    json_failures: int = 0
    records: list[Record] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    kinds: dict[int, str] = field(default_factory=dict)
    node_facts: list[NodeFact] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    segments: set[str] = field(default_factory=set)

    def enter(self, segment: str) -> None:
        """Say which kind of output the following lines belong to."""
        if segment != self.segment:
            self.segment, self.columns = segment, []
            self.event_anchor, self.anchor_sought = None, False
        if segment:
            self.segments.add(segment)

    def record(
        self,
        lines: Sequence[Line],
        *,
        role: str = "text",
        family: str = "console",
        component: str = "console",
        level: str | None = None,
        body: str | None = None,
        message: str | None = None,
        node: str | None = None,
        pod: str | None = None,
        protocol: str | None = None,
        peer: str | None = None,
        params: Mapping[str, str] | None = None,
        at: tuple[datetime | None, str] | None = None,
        shared: bool = False,
    ) -> None:
        """Add a record made of ``lines``, neighbours in the source whose text has been redacted.

        ``shared`` lines are counted with another record.
        """
        text = "\n".join(line.bare for line in lines) if message is None else message
        first, last = lines[0], lines[-1]
        ts, source = at or (self.now, self.now_source)
        self.records.append(
            Record(
                byte_offset=first.offset,
                byte_length=last.offset + last.length - first.offset,
                lines=0 if shared else len(lines),
                role=role,
                family=family,
                component=component,
                level=level,
                body=text if body is None else body,
                message=text,
                ts=ts,
                ts_source=source if ts is not None else "none",
                node=node or self.host,
                pod=pod or self.pod,
                protocol=protocol,
                peer=peer,
                params={k: v for k, v in (params or {}).items() if v},
            )
        )

    def frame(self, line: Line, component: str = "console", *, role: str = "frame") -> None:
        """Add a line that only frames others (border, heading, banner, echo)."""
        self.record([line], role=role, component=component)

    def state(
        self,
        line: Line,
        *,
        observed_by: str,
        state: str | None,
        bgp_state: str | None,
        last_error: str | None,
        protocol: str | None = None,
        peer: str | None = None,
        since: str = "",
        kind: str = "",
        node: str | None = None,
    ) -> None:
        """Add an observation of a session, seen at the snapshot's time; ``since`` is its SINCE cell, ``kind`` its
        PEER TYPE, ``node`` whose end it is where that is not the host."""
        if kind:
            self.kinds[len(self.states)] = kind
        held = self._own(held_since, since)
        self.states.append(
            State(
                self.now,
                node or self.host,
                protocol,
                peer,
                state,
                bgp_state,
                last_error,
                observed_by,
                line.offset,
                held,
            )
        )

    def peer_row(
        self,
        line: Line,
        *,
        component: str,
        state: str,
        bgp_state: str,
        who: str,
        peer: str | None,
        params: Mapping[str, str],
        node: str | None = None,
    ) -> None:
        """Add the row of a speaker's table of peers: ``who`` as printed, ``peer`` where that is an address."""
        self.record(
            [line],
            role="row",
            family="status",
            component=component,
            body=f"{state} {bgp_state}",
            message=line.bare,
            node=node,
            peer=peer,
            params=params if peer else {**params, "peer": who},
        )
        self.state(
            line,
            observed_by="show protocols",
            state=state,
            bgp_state=bgp_state,
            last_error=None,
            protocol=None if peer else who,
            peer=peer,
            node=node,
        )

    def fact(self, line: Line, fact: str, value: str, node: str | None = None) -> None:
        """Add a fact of a node."""
        if value:
            self.node_facts.append(NodeFact(node or self.host, fact, value, self.now, line.offset))

    def resource(self, line: Line, kind: str, name: str, body: str, namespace: str | None = None) -> None:
        """Add a resource that a table row stands for."""
        self.resources.append(Resource(kind, namespace, name, self.now, body, line.offset))

    def since(self, text: str) -> dict[str, str]:
        """Parameters of a SINCE cell: as printed, and as a time where that can be said."""
        at = self._own(since_at, text)
        return {"since": text, "since_at": at.isoformat()} if at else {"since": text}

    def _own(self, meaning: Callable[[str, datetime | None, tzinfo], datetime | None], text: str) -> datetime | None:
        """What a time printed by the daemon means on the clock of the snapshot."""
        try:
            at = meaning(text, None if self.now is None else self.now + self.offset, self.tz)
            return None if at is None else at - self.offset
        except OverflowError:
            return None

    def facts(self) -> ConsoleFacts:
        """Everything collected; the node and the pod when the whole transcript is about one."""
        node = next(iter(self.hosts)) if len(self.hosts) == 1 and not self.elsewhere else None
        pod = next(iter(self.pods)) if len(self.pods) == 1 else None
        if any(r.pod is None for r in self.records if r.role in ("row", "text", "detail")):
            pod = None
        states = told_apart(self.states, self.kinds)
        return ConsoleFacts(self.records, states, self.node_facts, self.resources, self.rejects, node, pod)
