"""What a scenario can do to the cluster."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sample_logs.lab.cluster import Node, Peer
from sample_logs.lab.control import birdc
from sample_logs.lab.daemon import START_SPACING, ContainerLog, Daemon
from sample_logs.lab.netns import LabError
from sample_logs.lab.shortages import announce, fill_conntrack, limit

if TYPE_CHECKING:
    from sample_logs.lab.runner import Lab

Arguments = Mapping[str, Any]

BGP_PORT = 179

BROKEN = "\n# For a peer without an address\nprotocol bgp Node_ from bgp_template {\n  neighbor as 64512;\n}\n"
"""The end of a file that BIRD refuses."""


def _nodes(lab: Lab, args: Arguments) -> list[Node]:
    return lab.cluster.select(list(args["nodes"]))


def set_clients(lab: Lab, args: Arguments) -> None:
    """Let a group grow: new clients start, then the reflectors' confd renders and reloads."""
    group = lab.cluster.groups[str(args["group"])]
    added = lab.cluster.set_clients(group.spec.name, int(args["count"]))
    lab.add_nodes(added)
    for node in added:
        lab.write_config(node)
    lab.run_now(added, lab.start_daemon)
    for name in args.get("broken_on", ()):
        lab.cluster.nodes[name].extra_config = BROKEN
    others = group.reflectors or [name for name in group.members if lab.cluster.nodes[name] not in added]
    # The reflectors learn of a new node a little after it is there.
    lab.watch_for(START_SPACING)
    silent = args.get("silent_on", ())
    lab.run_now([lab.cluster.nodes[name] for name in others if name not in silent], lab.reload)
    for name in silent:
        # The file is there, the signal is lost.
        lab.write_config(lab.cluster.nodes[name])


def configure(lab: Lab, args: Arguments) -> None:
    """Make BIRD read its configuration again: SIGHUP, or ``birdc configure``."""
    for node in _nodes(lab, args):
        if args.get("how", "hup") == "birdc":
            lab.write_config(node)
            reply = birdc(lab.daemons[node.name].home, "configure", timeout=10)
            if "Reconfigur" not in reply:
                raise LabError(f"{node.name}: birdc configure: {reply.strip()}")
        else:
            lab.reload(node)


def write_config(lab: Lab, args: Arguments) -> None:
    """Render, and tell BIRD nothing; as a setup action it marks a fault that is in the plan already."""
    for node in _nodes(lab, args):
        lab.write_config(node)


def sysctl(lab: Lab, args: Arguments) -> None:
    """Set a kernel parameter in the nodes' namespaces."""
    for node in _nodes(lab, args):
        lab.network.sysctl(node, str(args["key"]), str(args["value"]))


def send_signal(lab: Lab, args: Arguments) -> None:
    """Send a signal to daemons."""
    for node in _nodes(lab, args):
        lab.daemons[node.name].send(signal.Signals["SIG" + str(args["signal"])])


def restart(lab: Lab, args: Arguments) -> None:
    """End daemons at once and start them again with ``-R``; with ``container``, as a new container."""
    nodes = _nodes(lab, args)
    for node in nodes:
        lab.daemons[node.name].kill()
    lab.watch_for(float(args.get("down_for", 1)))
    for node in nodes:
        lab.start_daemon(node, new_container=bool(args.get("container", False)))


def stop(lab: Lab, args: Arguments) -> None:
    """End daemons at once and leave them so."""
    for node in _nodes(lab, args):
        lab.daemons[node.name].kill()


def start(lab: Lab, args: Arguments) -> None:
    """Start daemons that were ended, in the same container, as runit does."""
    for node in _nodes(lab, args):
        lab.start_daemon(node)


def nft(lab: Lab, args: Arguments) -> None:
    """Filter packets in the nodes' namespaces."""
    for node in _nodes(lab, args):
        lab.network.filter(node, [str(rule) for rule in args["rules"]])


def nft_clear(lab: Lab, args: Arguments) -> None:
    """End the filtering."""
    for node in _nodes(lab, args):
        lab.network.unfilter(node)


def link(lab: Lab, args: Arguments) -> None:
    """Take cables out or put them in."""
    for node in _nodes(lab, args):
        lab.network.link(node, str(args["state"]))
        # Nobody can log in to a machine that is off the network, and its kubelet reports nothing.
        lab.offline = lab.offline | {node.name} if args["state"] == "down" else lab.offline - {node.name}


def renumber(lab: Lab, args: Arguments) -> None:
    """A machine gets another address and its own BIRD follows; the cluster still believes in the old one."""
    node = lab.cluster.nodes[str(args["node"])]
    lab.network.set_address(node, str(args["address"]))
    node.source_address = node.router_id = str(args["address"])


def set_address(lab: Lab, args: Arguments) -> None:
    """A machine gets another address and nothing else follows."""
    lab.network.set_address(lab.cluster.nodes[str(args["node"])], str(args["address"]))


def router_id(lab: Lab, args: Arguments) -> None:
    """Give nodes this router id."""
    for node in _nodes(lab, args):
        node.router_id = str(args["value"])


def password(lab: Lab, args: Arguments) -> None:
    """Change the password at these nodes' ends (to none, if empty) and reload where BIRD runs."""
    for node in _nodes(lab, args):
        for peer in _peers(node, args):
            peer.password = str(args["value"]) or None
        lab.reload(node)


def _peers(node: Node, args: Arguments) -> list[Peer]:
    wanted = args.get("peers", ["all"])
    return [peer for peer in node.peers if "all" in wanted or peer.peer_node in wanted]


def remove_peer(lab: Lab, args: Arguments) -> None:
    """Take peers out of these nodes' configuration; with ``unlabel`` the peers lose the group's label."""
    for node in _nodes(lab, args):
        for peer in _peers(node, args):
            node.peers.remove(peer)
            if args.get("unlabel"):
                lab.cluster.nodes[peer.peer_node].labels.pop("bgp-group", None)
        lab.reload(node)


def double_peer(lab: Lab, args: Arguments) -> None:
    """Add a second protocol to a neighbour that has one."""
    for node in _nodes(lab, args):
        for peer in _peers(node, args):
            node.peers.append(Peer("Mesh", peer.address, peer.peer_node, peer.as_number))
        lab.reload(node)


def occupy_port(lab: Lab, args: Arguments) -> None:
    """Let another BGP speaker take port 179 first."""
    for node in _nodes(lab, args):
        home = lab.work / "others" / node.name
        other = Daemon(lab.network.namespace(node), home, ContainerLog(home / "log-of-other"))
        text = f"router id {node.address};\nprotocol device {{ }}\n"
        nobody = lab.scenario.subnet.broadcast_address - 1
        block = f"local as 64999;\n  neighbor {nobody} as 64998;\n  passive on;"
        other.config.write_text(text + f"protocol bgp other {{\n  {block}\n}}\n", encoding="utf-8")
        other.start()
        lab.extra_processes.append(other)
        lab.wait(partial(lab.network.listens, node, BGP_PORT), 10, "the other BGP speaker listens")


ACTIONS: dict[str, Callable[[Lab, Arguments], None]] = {
    "set_clients": set_clients,
    "configure": configure,
    "sysctl": sysctl,
    "signal": send_signal,
    "restart": restart,
    "stop": stop,
    "start": start,
    "nft": nft,
    "nft_clear": nft_clear,
    "link": link,
    "renumber": renumber,
    "set_address": set_address,
    "router_id": router_id,
    "password": password,
    "remove_peer": remove_peer,
    "double_peer": double_peer,
    "occupy_port": occupy_port,
    "write_config": write_config,
    "limit": limit,
    "announce": announce,
    "fill_conntrack": fill_conntrack,
}
