"""Asking a daemon: over its control socket for the lab's own polling, with ``birdc`` for what is kept."""

from __future__ import annotations

import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sample_logs.lab.daemon import CONTROL_SOCKET

BGP_STATES = ("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established", "Close", "Passive")

# The last line of a reply has a blank after its code, the others a hyphen or no code at all.
_REPLY_END = re.compile(rb"(?:\A|\n)\d{4} [^\n]*\n\Z")


class NoAnswerError(Exception):
    """The daemon did not answer; the text is the one calico-node's Go code would use."""


@dataclass(frozen=True)
class Row:
    """One BGP row of ``show protocols``."""

    protocol: str
    state: str
    info: str

    @property
    def bgp_state(self) -> str | None:
        """The BGP state, absent while the protocol is down."""
        first = self.info.split(maxsplit=1)[0] if self.info else ""
        return first if first in BGP_STATES else None

    @property
    def last_error(self) -> str | None:
        """What follows the state: the last error, with its class."""
        state = self.bgp_state
        return (self.info[len(state) :] if state else self.info).strip() or None


def parse_protocols(text: str) -> list[Row]:
    """The BGP rows of ``show protocols``, from ``birdc`` or from the socket with its reply codes."""
    rows: list[Row] = []
    for line in text.splitlines():
        fields = re.sub(r"^(\d{4}-| (?=\S))", "", line).split(maxsplit=5)
        if len(fields) >= 5 and fields[1] == "BGP":
            rows.append(Row(fields[0], fields[3], fields[5].strip() if len(fields) > 5 else ""))
    return rows


def ask(path: Path, command: str, timeout: float = 2.0) -> str:
    """Send a command over the control socket; the reply keeps its codes."""
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(timeout)
            control.connect(str(path))
            _read_reply(control)
            control.sendall(command.encode() + b"\n")
            return _read_reply(control).decode()
    except TimeoutError as error:
        raise NoAnswerError(f"Error executing command: read unix @->{CONTROL_SOCKET}: i/o timeout") from error
    except ConnectionResetError as error:
        # BIRD ended before it took the connection from the backlog.
        raise NoAnswerError(
            f"Error executing command: read unix @->{CONTROL_SOCKET}: read: connection reset by peer"
        ) from error
    except FileNotFoundError as error:
        missing = "dial unix /var/run/bird/bird.ctl: connect: no such file or directory"
        raise NoAnswerError(f"Error querying BIRD: unable to connect to BIRDv4 socket: {missing}") from error
    except OSError as error:
        refused = f"dial unix {CONTROL_SOCKET}: connect: connection refused"
        raise NoAnswerError(f"Error querying BIRD: unable to connect to BIRDv4 socket: {refused}") from error


def refusal(path: Path) -> str | None:
    """What calico-node's probe says if the daemon does not answer; ``None`` if it does."""
    try:
        ask(path, "show status")
    except NoAnswerError as error:
        return str(error)
    return None


def _read_reply(control: socket.socket) -> bytes:
    data = b""
    while True:
        part = control.recv(65536)
        if not part:
            raise ConnectionError("closed")
        data += part
        if _REPLY_END.search(data[-400:]):
            return data


def birdc(home: Path, command: str, timeout: float = 2.0) -> str:
    """What ``birdc COMMAND`` prints for a node, its errors too, with Calico's path of the socket.

    A daemon that does not answer leaves ``birdc`` waiting; it is ended after ``timeout`` and what it had
    printed until then is returned.
    """
    mount = 'mount --bind "$1/run" /run && shift && exec birdc -s ' + CONTROL_SOCKET + ' "$@"'
    argv = ["unshare", "-m", "sh", "-c", mount, "sh", str(home), *command.split()]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
    return output.decode()
