"""What is left in the kernel's log and on the control socket when something runs out."""

from __future__ import annotations

import select
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from sample_logs.lab.control import refusal
from sample_logs.lab.recording import lines_about

LOG = """\
2026-11-23T14:00:01,000000+00:00 nf_conntrack: nf_conntrack: table full in netns 4026532246, dropping packet
2026-11-23T14:00:02,500000+00:00 nf_conntrack: nf_conntrack: table full in netns 40265322461, dropping packet
2026-11-23T14:00:03,000000+00:00 br0: port 1(p1) entered disabled state
2026-11-23T14:00:04,000000+00:00 bird[812]: segfault at 0 ip 0000000000000000 sp 00007ffe5b20fc28 error 14
2026-11-23T14:00:05,000000+00:00 python[812]: segfault at 0 ip 0000000000000000 sp 00007ffe5b20fc28 error 14
"""
LATER = datetime(2026, 11, 23, 14, 0, 2, tzinfo=UTC).timestamp()


def test_of_the_machines_log_a_node_gets_what_names_it() -> None:
    lines = LOG.splitlines(keepends=True)
    assert lines_about(LOG, 4026532246, [], 0.0) == lines[0]
    assert lines_about(LOG, 4026532246, [], LATER) == ""
    assert lines_about(LOG, 1, [811, 812], LATER) == lines[3]


def test_a_daemon_that_ends_before_it_takes_the_connection_resets_it(tmp_path: Path) -> None:
    path = tmp_path / "bird.ctl"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(refusal, path)
        select.select([server], [], [], 5)
        server.close()
        assert (said.result(5) or "").endswith("read: connection reset by peer")
    assert (refusal(path) or "").endswith("connect: connection refused")
    path.unlink()
    assert (refusal(path) or "").endswith("no such file or directory")
