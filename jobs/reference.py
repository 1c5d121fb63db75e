"""``python -m jobs.reference``: the reference pages of the documentation, from the code itself.

python -m jobs.reference            write docs/reference/
python -m jobs.reference --check    say which pages are out of date, and leave with 1
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from jobs.cli import app
from pipeline.findings.catalogue import load_catalogue
from pipeline.grammar import load_ruleset
from pipeline.settings import ENV_PREFIX, Settings
from pipeline.warehouse.library import load_library
from pipeline.warehouse.publish import publish
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.writer import Warehouse

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
_HEAD = "<!-- Made by `python -m jobs.reference`; change the code, not this page. -->\n\n"


def commands() -> str:
    """Every command with its options, defaults and example."""
    group: Any = typer.main.get_command(app)
    out = ["# Commands\n", "Global options stand before the command.\n", *_options(group)]
    for name, command in group.commands.items():
        about, _, example = (command.help or "").partition("Example: ")
        arguments = [_usage(param) for param in command.params if param.param_type_name == "argument"]
        usage = " ".join(["peerscope", name, "[OPTIONS]", *arguments])
        out += [f"\n## {name}\n", f"`{usage}`\n", f"{about.strip()}\n", *_options(command)]
        out.append(f"\n```sh\n{example.strip()}\n```\n")
    out.append(
        "\n## Exit codes\n\n0 done · 1 findings at or above `--fail-on` · 2 usage · 3 input or warehouse that cannot "
        "be used, nothing to read, disk too full, notice not taken · 4 another job holds the warehouse · 5 internal error\n"
    )
    return "\n".join(out)


def _usage(param: Any) -> str:
    name = str(param.metavar or param.name.upper())
    return name if param.required or name.startswith(("[", "{")) else f"[{name}]"


def _options(command: Any) -> Iterable[str]:
    context = command.context_class(command)
    rows = []
    for param in command.params:
        record = param.get_help_record(context) if param.param_type_name == "option" else None
        if record is not None:
            names, about = record
            names = names.replace("<str>", "TEXT").replace("<", "").replace(">", "").replace("|", "\\|")
            rows.append(f"| `{names}` | {_cell(about)} |")
    return ["| option | meaning |", "|---|---|", *rows] if rows else []


def settings() -> str:
    """Every setting with its default and the reason for it."""
    rows = [
        f"| `{spec.name}` | `{ENV_PREFIX}{spec.name.upper()}` | `{spec.default}` | {_cell(spec.metadata['reason'])} |"
        for spec in fields(Settings)
    ]
    return "\n".join(
        [
            "# Settings\n",
            "A flag wins over the environment, the environment over the config file (`--config`, TOML, top-level keys), "
            "that over the default. `peerscope config` prints each value with the place it came from.\n",
            "| setting | environment | default | reason |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def tables() -> str:
    """Every published table and column, from the comments in the snapshot itself."""
    with tempfile.TemporaryDirectory() as folder:
        with Warehouse.open(folder) as warehouse:
            publish(warehouse)
        with open_snapshot(folder) as snapshot:
            named = snapshot.frame("SELECT table_name, comment FROM duckdb_tables() ORDER BY table_name").rows()
            columns = snapshot.frame(
                "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY table_name, column_index"
            ).rows()
    out = ["# Tables\n", 'The published DuckDB file; `duckdb -readonly "$(peerscope path)"` opens it. Times are UTC.\n']
    for table, comment in named:
        out += [f"\n## {table}\n", f"{comment}\n", "| column | type | meaning |", "|---|---|---|"]
        out += [
            f"| `{name}` | {_kind(kind)} | {_cell(text or '')} |" for own, name, kind, text in columns if own == table
        ]
    return "\n".join(out) + "\n"


def _kind(text: str) -> str:
    return "VARCHAR (one of a fixed list)" if text.startswith("ENUM") else text.replace("|", "\\|")


def queries() -> str:
    """Every saved question with its parameters and text."""
    out = ["# Saved questions\n", "`peerscope sql --query NAME -p key=value` runs one; `--query list` names them.\n"]
    for saved in load_library().values():
        out += [f"\n## {saved.name}\n", f"{saved.question}\n"]
        if saved.parameters:
            out += ["| parameter | type | default | meaning |", "|---|---|---|---|"]
            out += [f"| `{p.name}` | {p.kind} | `{p.default}` | {_cell(p.meaning)} |" for p in saved.parameters]
        out.append(f"\n```sh\npeerscope sql --query {saved.name}\n```\n")
    return "\n".join(out)


def categories() -> str:
    """What one record can say, and how many rules say it."""
    ruleset = load_ruleset()
    out = [
        "# Categories\n",
        "A category says what one record says, never why it happened. What no rule knows is `unclassified`.\n",
        "| category | severity | a failure | rules | meaning |",
        "|---|---|---|---|---|",
    ]
    for name, category in ruleset.categories.items():
        rules = sum(rule.category == name for rule in ruleset.rules)
        failure = "yes" if category.is_failure else ""
        out.append(f"| `{name}` | {category.severity} | {failure} | {rules or ''} | {_cell(category.definition)} |")
    return "\n".join(out) + "\n"


def causes() -> str:
    """Every cause with what it looks like, what mends it and what would refute it."""
    out = [
        "# Causes\n",
        "What an incident can come from. `undetermined` is a valid answer: then nothing below holds.\n",
    ]
    for cause in load_catalogue().causes.values():
        out += [f"\n## {cause.id}\n", f"{_text(cause.title)} ({cause.severity})\n"]
        for title, lines in (("Claim", cause.summary), ("Remedy", cause.remedy), ("To collect", cause.collect)):
            if lines:
                out.append(f"**{title}.** {_text(' '.join(lines))}\n")
        if cause.refuted_by:
            out.append(f"**Refuted by.** {_text(cause.refuted_by)}\n")
        if cause.look_alikes:
            out.append(f"**Looks like.** {', '.join(f'`{name}`' for name in cause.look_alikes)}\n")
        if cause.cite:
            out.append(f"**Known from.** {_text('; '.join(cause.cite))}\n")
    return "\n".join(out)


def _text(text: str) -> str:
    """Sentences of the catalogue as plain text: their places for values stay visible, nothing becomes markup."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("\n", " ").strip()


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "settings.md": settings,
    "tables.md": tables,
    "queries.md": queries,
    "categories.md": categories,
    "causes.md": causes,
}


def outdated() -> list[str]:
    """Pages that are not what the code says."""
    found = []
    for name, make in PAGES.items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != _HEAD + make():
            found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        names = outdated()
        if names:
            print(f"out of date: {', '.join(names)}; run `python -m jobs.reference`", file=sys.stderr)
        sys.exit(bool(names))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(_HEAD + make(), encoding="utf-8")


if __name__ == "__main__":
    main()
