"""The command line: one executable, thin commands over the library.

Heavy libraries are imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Annotated

import typer

from jobs import asking, logs, reading, telling
from jobs.console import Context, print_data
from pipeline import __version__
from pipeline.errors import PeerscopeError, SettingError
from pipeline.settings import load_settings

app = typer.Typer(
    name="peerscope",
    help="Finds out why BGP sessions fail in Calico clusters, from logs and status output.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        print_data(f"peerscope {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    ctx: typer.Context,
    warehouse: Annotated[
        str | None,
        typer.Option("--warehouse", metavar="DIR", help="Folder of the warehouse (PEERSCOPE_WAREHOUSE, ./warehouse)."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file with settings (PEERSCOPE_CONFIG).",
            envvar="PEERSCOPE_CONFIG",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", metavar="text|json", help="What the job says of itself, on standard error."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what failed.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more; tracebacks of internal errors.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    settings, origins = load_settings({"warehouse": warehouse, "log_format": log_format}, config)
    if settings.log_format not in ("text", "json"):
        raise SettingError(f"setting log_format: {settings.log_format!r} is neither text nor json")
    logs.configure(settings.log_format, ctx.invoked_subcommand or "")
    ctx.obj = Context(settings, origins, -1 if quiet else int(verbose))


# In the order of the help.
COMMANDS = (
    reading.run,
    reading.ingest,
    reading.mine,
    reading.analyze,
    reading.publish,
    reading.demo,
    telling.report,
    telling.notify,
    telling.capacity,
    asking.sql,
    asking.path,
    asking.status,
    reading.collect,
    asking.maintain,
    telling.explain,
)
for _command in COMMANDS:
    app.command()(_command)
app.command("app")(telling.serve_app)
app.command()(asking.config)


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs a command and leaves with the exit codes of the contract."""
    words = sys.argv[1:] if argv is None else argv
    started = time.monotonic()
    code, problem = _call(words)
    logs.finish(code, problem, time.monotonic() - started)
    sys.exit(code)


def _call(words: list[str]) -> tuple[int, str | None]:
    """Exit code of a command, and what to say when it failed."""
    try:
        app(args=words, prog_name="peerscope", standalone_mode=True)
    except SystemExit as exc:
        return (exc.code if isinstance(exc.code, int) else int(exc.code is not None)), None
    except PeerscopeError as exc:
        return exc.exit_code, str(exc)
    except BrokenPipeError:
        sys.stderr.close()
        return 0, None
    except KeyboardInterrupt:
        return 130, "interrupted"
    except BaseException as exc:
        # what a library in Rust gives up with is no Exception
        if not isinstance(exc, Exception) and type(exc).__name__ != "PanicException":
            raise
        if _wants_memory(exc):
            return 3, "out of memory; what was committed before stays. Give it more, or lower item_bytes and processes"
        if {"-v", "--verbose"} & set(words):
            raise
        return 5, f"internal error: {type(exc).__name__}: {exc} ({_place(exc)}); run again with -v and report it"
    return 0, None


def _place(exc: BaseException) -> str:
    """Where in this project it was raised, or what was called from there."""
    root = Path(__file__).resolve().parent.parent
    parts = tuple(str(root / name) + os.sep for name in ("pipeline", "jobs", "app"))
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename.startswith(parts)]
    return f"{Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno}" if frames else "in a library"


# what libraries say when the system refuses them a thread, a page, or the room for a shared library
_NO_MORE = (
    "could not spawn threads", "can't start new thread", "Resource temporarily unavailable", "Cannot allocate memory",
    "cannot allocate memory", "failed to map segment", "Out of memory", "out of memory", "bad_alloc",
)  # fmt: skip


def _wants_memory(exc: BaseException) -> bool:
    """Whether it, or what led to it, is that a library could not get memory, or a thread, which comes to the same."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, MemoryError) or type(seen).__name__ == "OutOfMemoryException":
            return True
        if any(said in str(seen) for said in _NO_MORE):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
