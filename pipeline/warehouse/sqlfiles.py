"""Where the SQL files are: ``sql/`` of a checkout, or the copy inside an installed package."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import WarehouseError

_PACKAGE = Path(__file__).resolve().parent.parent
_NUMBERED = re.compile(r"^(\d+)_\w+\.sql$")
# One to a line, as the files have them.
_COMMENT = re.compile(r"^COMMENT ON (?:TABLE|VIEW|COLUMN) (\w+)(?:\.(\w+))? IS '((?:[^']|'')*)';\n?", re.MULTILINE)


def sql_dir() -> Path:
    """The folder that holds ``schema/``, ``views/`` and ``library/``.

    A checkout keeps it beside the package; a wheel carries it inside (the build maps ``sql`` there).
    """
    for folder in (_PACKAGE / "_sql", _PACKAGE.parent / "sql"):
        if (folder / "schema").is_dir():
            return folder
    raise WarehouseError(f"no SQL files in {_PACKAGE / '_sql'}: incomplete installation, install it again")


def migrations() -> list[tuple[int, Path]]:
    """Schema migrations as (version, file), ascending."""
    return _numbered("schema")


def views() -> list[Path]:
    """View files in the order in which they build on each other."""
    return [path for _, path in _numbered("views")]


def script(path: Path) -> str:
    """What a file makes, without what it says of it: five hundred comments take as long as all tables and views."""
    return _COMMENT.sub("", path.read_text(encoding="utf-8"))


def descriptions() -> dict[tuple[str, str | None], str]:
    """What the files say of tables and views (the column is None) and of their columns; the last to say it counts."""
    paths = [*(path for _, path in migrations()), *views()]
    found = (match for path in paths for match in _COMMENT.finditer(path.read_text(encoding="utf-8")))
    return {(match[1], match[2]): match[3].replace("''", "'") for match in found}


def _numbered(folder: str) -> list[tuple[int, Path]]:
    found = []
    for path in (sql_dir() / folder).glob("*.sql"):
        if match := _NUMBERED.match(path.name):
            found.append((int(match[1]), path))
    return sorted(found)
