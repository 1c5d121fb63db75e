"""The report in the README is a real one: ``python -m tests.readme`` puts it there anew."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from jobs.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- report:begin -->", "<!-- report:end -->"
CASE = "md5-key-limit-grown"


def founding_report(folder: Path) -> str:
    """The text report of the founding case, from a new warehouse in ``folder``."""
    where = ["--warehouse", str(folder / "warehouse"), "-q"]
    _run([*where, "run", "--cluster", CASE, str(ROOT / "sample_logs" / CASE / "collected.tar.gz")])
    return _run([*where, "report", "--cluster", CASE])


def excerpt(report: str) -> str:
    """What the README shows: the first incident, up to what was seen."""
    lines = report.split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("1/"))
    last = next(number for number, line in enumerate(lines) if line.startswith("Why: "))
    return "\n".join(lines[first:last]).strip()


def block(report: str) -> str:
    """The excerpt as an indented block between the marks."""
    text = "\n".join(f"    {line}".rstrip() for line in excerpt(report).split("\n"))
    return f"{BEGIN}\n\n{text}\n\n{END}"


def shown() -> str:
    """What stands in the README now, marks included."""
    text = README.read_text(encoding="utf-8")
    return text[text.index(BEGIN) : text.index(END) + len(END)]


def _run(words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main(words)
    return out.getvalue()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        fresh = block(founding_report(Path(folder)))
    README.write_text(README.read_text(encoding="utf-8").replace(shown(), fresh), encoding="utf-8")
