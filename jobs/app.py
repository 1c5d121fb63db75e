"""``peerscope app``: serves the investigation UI. Streamlit is only looked for here and only runs in the app."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from jobs.console import Context
from pipeline.errors import DependencyError
from pipeline.settings import ENV_PREFIX

ENTRY = Path(__file__).resolve().parent.parent / "app" / "serve.py"


def app(ctx: Context, host: str, port: int) -> None:
    """Become the app's server; it ends with Ctrl-C or a signal.

    Raises:
        DependencyError: streamlit is not installed.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise DependencyError("the app needs streamlit: pip install 'peerscope[app]'")
    ctx.say(f"http://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}  (Ctrl-C ends it)")  # noqa: S104
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command(host, port), environment(ctx, os.environ))  # noqa: S606


def command(host: str, port: int) -> list[str]:
    """The command line of the server; what else is set stands in ``app/.streamlit/config.toml``."""
    flags = {
        "server.address": host,
        "server.port": port,
        "browser.serverAddress": "localhost",
        "logger.level": "warning",
    }
    return [sys.executable, str(ENTRY), *(f"--{name}={value}" for name, value in flags.items())]


def environment(ctx: Context, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server: every setting of this call, so that flags reach the app too."""
    given = {
        ENV_PREFIX + origin.name.upper(): str(origin.value) for origin in ctx.origins if origin.origin != "default"
    }
    given[ENV_PREFIX + "WAREHOUSE"] = str(ctx.warehouse.resolve())
    return {**inherited, **given}
