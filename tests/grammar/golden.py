"""The golden file of the grammar: lines as they come, and how they are read.

    python -m tests.grammar.golden

reads every line of the file anew and writes what comes out; `git diff` then shows what a change of the rules
means. To add a line, append ``{"family": ..., "body": ...}`` to the file and run it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.grammar import load_ruleset
from pipeline.grammar.fields import FIELD_SCHEMA
from tests.grammar.support import records

PATH = Path(__file__).parents[1] / "golden" / "grammar.jsonl"
COLUMNS = ("shape", "rule", "category", "severity", "component", "level", *FIELD_SCHEMA)


def stored() -> list[dict[str, Any]]:
    """The rows of the golden file."""
    return [json.loads(line) for line in PATH.read_text(encoding="utf-8").splitlines() if line]


def read_again(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same lines, read with the rules as they are now; what is empty is left out."""
    frame = load_ruleset().understand(records([(row["family"], row["body"]) for row in rows]))
    return [
        {"family": row["family"], "body": row["body"]}
        | {name: row[name] for name in COLUMNS if row[name] not in (None, [], "{}")}
        for row in frame.iter_rows(named=True)
    ]


def main() -> None:
    """Write the golden file anew from its own lines."""
    rows = read_again(stored())
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
