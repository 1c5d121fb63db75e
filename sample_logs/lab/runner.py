"""One run of a scenario: builds the cluster, follows the timeline, watches, and always cleans up."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from sample_logs.lab import birdconf, control
from sample_logs.lab.actions import ACTIONS
from sample_logs.lab.cluster import Cluster, Node, Peer, pod_name, stable_uuid
from sample_logs.lab.control import Row
from sample_logs.lab.daemon import START_SPACING, ContainerLog, Daemon, Killable
from sample_logs.lab.netns import LabError, Network, new_run_id
from sample_logs.lab.observe import History, Session, Snapshot
from sample_logs.lab.scenario import Action, Scenario

REVIVE_EVERY = 0.2
"""Seconds after which a daemon is missed that ended: runit starts it again at once."""


class Lab(AbstractContextManager["Lab"]):
    """The running cluster."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.cluster = Cluster(scenario)
        self.run_id = new_run_id()
        self.network = Network(self.run_id, scenario.subnet.prefixlen)
        self.work = Path(tempfile.mkdtemp(prefix=f"pslab-{self.run_id}-"))
        self.daemons: dict[str, Daemon] = {}
        self.container_started: dict[str, list[float]] = {}
        self.history = History()
        self.snapshots: list[Snapshot] = []
        self.started_at = 0.0
        self.ended_at = 0.0
        self.fault_at: float | None = None
        self.cure_at: float | None = None
        self.offline: set[str] = set()
        self.tracking: set[str] = set()
        self.peer_ends: dict[Session, Peer] = {}
        self.extra_processes: list[Killable] = []
        self._pool = ThreadPoolExecutor(8)

    def __enter__(self) -> Lab:
        try:
            self.network.create()
            self.add_nodes(list(self.cluster.nodes.values()))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every daemon and remove every namespace and file of the run."""
        try:
            for daemon in [*self.daemons.values(), *self.extra_processes]:
                daemon.kill()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self.network.remove()
            shutil.rmtree(self.work, ignore_errors=True)

    # -- nodes ---------------------------------------------------------------------------------------

    def pod_folder(self, node: Node) -> str:
        """Folder of a pod's logs, as kubelet names it."""
        name = pod_name(self.scenario.id, node.name)
        return f"kube-system_{name}_{stable_uuid(self.scenario.id, node.name, 'pod')}"

    def add_nodes(self, nodes: Sequence[Node]) -> None:
        """Wire nodes up and give them a daemon that is not started yet."""
        if not nodes:
            return
        self.network.add(nodes)
        for node in nodes:
            home = self.work / "nodes" / node.name
            # A router outside the cluster has no pod; what it keeps is BIRD's own log file.
            folder = "stderr" if node.role == "outside" else f"pods/{self.pod_folder(node)}/calico-node"
            self.daemons[node.name] = Daemon(self.network.namespace(node), home, ContainerLog(home / folder))

    def write_config(self, node: Node) -> None:
        """Render a node's configuration into its file, as confd does."""
        self.peer_ends.update({(node.name, node.protocol(peer)): peer for peer in node.peers})
        if node.role == "outside":
            text = birdconf.render_router(node)
        else:
            text = birdconf.render(node, self.scenario.hold_time)
        self.daemons[node.name].config.write_text(text, encoding="utf-8")
        if self.scenario.pinned_neighbours:
            self.network.pin_neighbours(node, [self.cluster.nodes[peer.peer_node] for peer in node.peers])

    def start_daemon(self, node: Node, new_container: bool = False) -> None:
        """Start a node's BIRD with its present configuration; optionally in a new container."""
        daemon = self.daemons[node.name]
        starts = self.container_started.setdefault(node.name, [])
        if new_container:
            daemon.log.restarts += 1
        if new_container or not starts:
            starts.append(time.time())
        daemon.start()

    def reload(self, node: Node) -> None:
        """Render and send SIGHUP, as confd's reload command does."""
        self.write_config(node)
        if self.daemons[node.name].running:
            self.daemons[node.name].send(signal.SIGHUP)

    def run_now(self, nodes: Sequence[Node], work: Callable[[Node], object]) -> None:
        """Do something to many nodes side by side."""
        list(self._pool.map(work, nodes))

    # -- the course of a run ---------------------------------------------------------------------------

    def perform(self, action: Action) -> None:
        """Do what the scenario says, and note when, if it is the fault or its cure."""
        moment = time.time()
        if action.fault and self.fault_at is None:
            self.fault_at = moment
        if action.cure:
            self.cure_at = moment
        ACTIONS[action.do](self, action.args)

    def start(self) -> None:
        """Do the setup, write every configuration and start every daemon."""
        for action in self.scenario.setup:
            self.perform(action)
        self.started_at = time.time()
        if self.fault_at is not None:
            self.fault_at = self.started_at
        nodes = list(self.cluster.nodes.values())
        for node in nodes:
            self.write_config(node)
        # Two ends that start in the same moment dial each other at once, and BIRD may then take a while to
        # settle which connection stays. Machines do not boot in step, so reflectors come first.
        centres = [node for node in nodes if node.role in ("reflector", "outside")]
        for node in centres:
            self.start_daemon(node)
            time.sleep(START_SPACING)
        self.run_now([node for node in nodes if node not in centres], self.start_daemon)
        self.wait(self._answers_everywhere, 60, "every daemon answers")

    def _answers_everywhere(self) -> bool:
        return all(daemon.socket.exists() for daemon in self.daemons.values() if daemon.running)

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for a condition; a run that does not reach it in time has failed."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"{self.scenario.id}: not within {seconds:g} s: {what}")
            time.sleep(0.05)

    def run(self, on_start: Callable[[Lab], None], progress: Callable[[str], None]) -> None:
        """Start the cluster and follow the timeline to its end."""
        self.start()
        on_start(self)
        begin = time.monotonic()
        due_actions = list(self.scenario.timeline)
        next_poll, next_snapshot = 0.0, self.scenario.observe_every
        while (now := time.monotonic() - begin) < self.scenario.duration:
            if due_actions and now >= due_actions[0].at:
                action = due_actions.pop(0)
                progress(f"{now:6.1f} s  {action.do} {dict(action.args)}")
                self.perform(action)
            elif now >= next_snapshot:
                self.snapshot(full=not self.snapshots)
                next_snapshot += self.scenario.observe_every
            elif now >= next_poll:
                self.poll()
                next_poll = max(next_poll + self.scenario.poll_every, now)
            else:
                self.revive()
                soonest = min([next_poll, next_snapshot, *(action.at for action in due_actions[:1])])
                time.sleep(min(REVIVE_EVERY, max(0.0, min(soonest, self.scenario.duration) - now)))
        self.poll()
        self.snapshot(full=True)
        self.ended_at = time.time()

    # -- watching -----------------------------------------------------------------------------------------

    def _rows(self, name: str) -> tuple[str, list[Row] | None]:
        try:
            return name, control.parse_protocols(control.ask(self.daemons[name].socket, "show protocols"))
        except control.NoAnswerError:
            return name, None

    def revive(self) -> None:
        """Start daemons again that ended by themselves."""
        for daemon in self.daemons.values():
            daemon.revive()

    def poll(self) -> None:
        """Ask every daemon for its sessions; one that ended by itself is started again first."""
        self.revive()
        moment = time.time()
        self.history.see(moment, dict(self._pool.map(self._rows, list(self.daemons))))

    def watch_for(self, seconds: float) -> None:
        """Let time pass, but go on polling."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.poll()
            time.sleep(min(self.scenario.poll_every, left))

    def established(self) -> tuple[int, int]:
        """Ends that are established now, and ends that are configured."""
        last = [items[-1] for key, items in self.history.intervals.items() if key not in self.history.gone]
        return sum(interval.established for interval in last), len(last)

    def snapshot(self, full: bool) -> None:
        """Keep what ``birdc`` prints on every node; in full, the details of some nodes too."""
        shot = Snapshot(time.time())
        detailed = self.detailed_nodes() if full else set()

        def take(name: str) -> None:
            home = self.daemons[name].home
            shot.taken_at[name] = time.time()
            # Kubelet's probe asks every few seconds, people come later.
            shot.probe_texts[name] = control.refusal(self.daemons[name].socket)
            shot.status[name] = control.birdc(home, "show status")
            shot.protocols[name] = control.birdc(home, "show protocols")
            if name in detailed:
                shot.details[name] = control.birdc(home, "show protocols all")

        list(self._pool.map(take, [name for name in self.daemons if name not in self.offline]))
        self.snapshots.append(shot)

    def detailed_nodes(self) -> set[str]:
        """Reflectors, outside routers, and up to five others: the newest two and the oldest three."""
        nodes = list(self.cluster.nodes.values())
        others = [node.name for node in nodes if node.role in ("client", "mesh")]
        centres = {node.name for node in nodes if node.role in ("reflector", "outside")}
        return centres | set(others[:3]) | set(others[-2:])
