"""What the deployment tests share: the folder, and how a missing validator is announced."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).resolve().parent.parent.parent / "jobs" / "deploy"


def tool(name: str, package: str) -> str:
    """Path of a validator; the test is skipped, with the package to install, when there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: {package}); only the structure was checked")
    return found


def documents(text: str) -> list[dict[str, Any]]:
    """The objects of a YAML stream."""
    return [item for item in yaml.safe_load_all(text) if item is not None]
