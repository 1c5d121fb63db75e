"""Failure modes as a person pastes them: a few lines, one table, one event; made up in the wordings of the programs.

Each goes the whole way, from the text to the claim. That the right cause comes first matters, and that nothing wrong
is claimed with confidence.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.score_causes import CONFIDENT, ranked_causes

PROBE = "Readiness probe failed: calico/node is not ready: BIRD is not ready: "
STATUS = "BIRD v0.3.3+birdv1.6.8 ready.\nname     proto    table    state  since       info\n"


def table(*rows: tuple[str, str, str]) -> str:
    """``calicoctl node status`` with rows of address, state and info."""
    lines = "".join(f"| {peer} | node-to-node mesh | {state} | 07:12:31 | {info} |\n" for peer, state, info in rows)
    rule = "+--------------+-------------------+-------+----------+-------------+\n"
    head = "| PEER ADDRESS |     PEER TYPE     | STATE |  SINCE   |    INFO     |\n"
    return f"Calico process is running.\n\nIPv4 BGP status\n{rule}{head}{rule}{lines}{rule}\nIPv6 BGP status\nNo IPv6 peers found.\n"


UP = ("10.0.0.9", "up", "Established")
MODES: dict[str, tuple[str, str]] = {
    "key limit, log": ("md5_key_limit", "bird: Node_10_0_0_5: Socket error: TCP_MD5SIG: Cannot allocate memory\n"),
    "key limit, table": ("md5_key_limit", table(("10.0.0.5", "down", "Error: Kernel MD5 auth failed"), UP)),
    "no MD5 in the kernel": (
        "md5_unsupported",
        "bird: Node_10_0_0_5: Socket error: Kernel does not support TCP MD5 signatures\n",
    ),
    "password differs": (
        "md5_password_mismatch",
        "[1.5] TCP: MD5 Hash mismatch for (10.0.0.5, 179)->(10.0.0.6, 41234) L3 index 0\n",
    ),
    "time-out": ("port_filtered", table(("10.0.0.5", "start", "Connect Socket: Connection timed out"), UP)),
    "refused": ("peer_not_listening", table(("10.0.0.5", "start", "Connect Socket: Connection refused"), UP)),
    "unreachable": ("peer_unreachable", table(("10.0.0.5", "start", "Active Socket: No route to host"), UP)),
    "bridge chosen": (
        "wrong_address_autodetected",
        "2025-03-04 10:00:01.123 [INFO][9] startup/startup.go 768: Using autodetected IPv4 address on interface "
        "docker0: 172.17.0.1/16\n",
    ),
    "bridge chosen by name": (
        "wrong_address_autodetected",
        "2025-03-04 10:00:01.123 [INFO][9] startup/startup.go 768: Using autodetected IPv4 address 172.18.0.1/16 on "
        "matching interface br-0a1b2c3d4e5f\n",
    ),
    "a far end's bridge": ("wrong_address_autodetected", f"{PROBE}BGP not established with 172.18.0.1\n"),
    "nobody gets through": ("port_filtered", table(("10.0.0.5", "start", "Passive"), ("10.0.0.6", "start", "Passive"))),
    "nobody dials": ("peering_asymmetric", table(("fd00::5", "start", "Passive"), ("fd00::6", "start", "Passive"))),
    "cannot listen": (
        "listen_port_taken",
        "bird: BGP: Socket error: listen: Address in use\nbird: BGP: Cannot open listening socket\n",
    ),
    "the far end says so": (
        "as_mismatch",
        '{"caller":"native.go:360","error":"got BGP notification code 0x0202 (Bad peer AS)","event":"peerNotification",'
        '"level":"error","localASN":64512,"msg":"peer sent notification, closing session","peer":"10.0.0.1:179",'
        '"peerASN":64513,"ts":"2024-01-01T00:00:00Z"}\n',
    ),
    "one peer lost": ("path_loss", table(("10.0.0.5", "start", "Connect BGP Error: Hold timer expired"), UP)),
    "nobody heard the daemon": (
        "reflector_overloaded",
        "".join(f"2025-03-04 10:00:0{k % 3} <RMT> Node_10_0_0_{k}: Received: Hold timer expired\n" for k in range(1, 9)),
    ),
    "a mesh of 139": (
        "mesh_too_large",
        "".join(f"2025-03-04 10:00:{k % 50:02} <TRACE> Mesh_10_0_0_{k}: Error: Hold timer expired\n" for k in range(1, 139)),
    ),
    "no buffer space": ("neighbour_table_overflow", table(("10.0.0.5", "start", "Active Socket: No buffer space available"))),
    "no descriptor": (
        "descriptor_limit",
        "2025-03-04 10:00:00 <ERR> Node_10_0_0_5: Socket error: socket: No file descriptors available\n",
    ),
    "no listening socket": (
        "listen_port_taken",
        table(("10.0.0.5", "down", "Error: No listening socket"), ("10.0.0.6", "down", "Error: No listening socket")),
    ),
    "own address gone": (
        "local_address_missing",
        "bird: BGP: Socket error: bind: Cannot assign requested address\nbird: BGP: Cannot open listening socket\n",
    ),
    "reloads without end": (
        "reload_storm",
        "".join(
            f"2025-03-04 10:0{k // 6}:{k % 6}0 <INFO> Reconfiguration requested by SIGHUP\n"
            f"2025-03-04 10:0{k // 6}:{k % 6}0 <INFO> Reconfiguring\n" for k in range(30)
        ),
    ),
    "wait of 240 s": (
        "graceful_restart_wait",
        "2025-03-04 10:00:00 <INFO> Graceful restart started\n2025-03-04 10:04:00 <INFO> Graceful restart done\n",
    ),
    "wait, no times": ("graceful_restart_wait", "bird: Graceful restart started\nbird: Graceful restart done\n"),
    "nodename": ("startup_transient", f"{PROBE}Failed to stat() nodename file: stat /var/lib/calico/nodename: no such file or directory\n"),
    "slow socket": (
        "probe_timeout",
        f"{PROBE}Error querying BIRD: unable to connect to BIRDv4 socket: read unix @->/var/run/calico/bird.ctl: i/o timeout\n",
    ),
    "slow socket, again and again": (
        "probe_timeout",
        "  Warning  Unhealthy  2m3s (x213 over 49m)  kubelet  Readiness probe failed: calico/node is not ready: BIRD is "
        "not ready: Error executing command: read unix @->/var/run/calico/bird.ctl: i/o timeout\n",
    ),
    "Typha is away": (
        "datastore_unreachable",
        '2025-03-04 10:00:00.123 [WARNING][77] felix/daemon.go 592: Felix is shutting down reason="Connection to Typha '
        'failed"\n2025-03-04 10:00:02.123 [FATAL][77] felix/daemon.go 641: Exiting. reason="Connection to Typha failed"\n',
    ),
    "two protocols": (
        "double_peering",
        STATUS + "Node_10_0_0_5 BGP      master   start  2024-12-20  Idle\n"
        "Mesh_10_0_0_5 BGP      master   up     2024-12-20  Established\n",
    ),
    "memory": ("out_of_memory", "bird: Unable to allocate 4096 bytes of memory\n"),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_few_lines_lead_to_the_cause(mode: str, tmp_path: Path) -> None:
    cause, text = MODES[mode]
    (tmp_path / "pasted.txt").write_text(text, encoding="utf-8")
    ranked = ranked_causes(tmp_path)
    assert ranked
    assert ranked[0][0] == cause, ranked
    assert ranked[0][1] >= 0.5
    assert all(confidence <= CONFIDENT for other, confidence in ranked[1:] if other != cause)


@pytest.mark.parametrize(
    "text",
    [
        "Unable to connect to server control socket (/var/run/calico/bird.ctl): Permission denied\n",
        'Error from server (NotFound): pods "calico-node-ab3de" not found\n',
    ],
)
def test_who_may_not_ask_knows_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "pasted.txt").write_text(f"Calico process is running.\n{text}", encoding="utf-8")
    assert [cause for cause, _ in ranked_causes(tmp_path) if cause != "undetermined"] == []


def test_a_file_that_is_missing_once_is_what_a_start_looks_like(tmp_path: Path) -> None:
    line = "bird: Unable to open configuration file /etc/calico/confd/config/bird.cfg: No such file or directory\n"
    (tmp_path / "pasted.txt").write_text(line, encoding="utf-8")
    once = ranked_causes(tmp_path)[0]
    (tmp_path / "pasted.txt").write_text(line * 3, encoding="utf-8")
    assert once[1] <= CONFIDENT < ranked_causes(tmp_path)[0][1]


def test_a_short_graceful_restart_is_nothing(tmp_path: Path) -> None:
    text = "2025-03-04 10:00:00 <INFO> Graceful restart started\n2025-03-04 10:00:20 <INFO> Graceful restart done\n"
    (tmp_path / "pasted.txt").write_text(text, encoding="utf-8")
    assert ranked_causes(tmp_path) == []


def test_a_wait_that_was_not_measured_is_no_sure_cause(tmp_path: Path) -> None:
    (tmp_path / "pasted.txt").write_text("bird: Graceful restart started\n", encoding="utf-8")
    assert ranked_causes(tmp_path)[0][1] < 0.6


def test_a_verdict_alone_is_told_and_nothing_is_claimed(tmp_path: Path) -> None:
    (tmp_path / "event.txt").write_text(f"{PROBE}BGP not established with 10.0.0.1,10.0.0.2\n", encoding="utf-8")
    assert ranked_causes(tmp_path)[0][0] == "undetermined"
