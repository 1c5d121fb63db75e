"""The server of the app: the libraries that pages need are loaded before anybody can open one.

Streamlit runs the code of the pages when the first of them is opened, and that first person would wait for some
seconds. ``peerscope app`` starts this file; its arguments are those of ``streamlit run``.
"""

from __future__ import annotations

import gc
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARIES = ("altair", "pandas", "pyarrow")


def warm() -> None:
    """Import what pages import."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for path in sorted([*HERE.glob("*.py"), *HERE.glob("queries/*.py")]):
        # The entry draws when it is imported.
        if path.stem not in ("__init__", "main", "serve"):
            importlib.import_module(".".join(("app", *path.relative_to(HERE).with_suffix("").parts)))


def keep() -> None:
    """Take what was loaded so far out of the search for garbage.

    Streamlit searches after every run of a page, while others wait; libraries are most of what there is to search.
    """
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    # The folder of this file would be searched first, but its modules are those of the package ``app``; in a checkout
    # that is not installed the package is found beside it.
    sys.path[:] = [*(path for path in sys.path if Path(path or ".").resolve() != HERE), str(HERE.parent)]
    warm()
    from streamlit.web import bootstrap, cli  # noqa: F401

    keep()
    sys.argv = ["streamlit", "run", str(HERE / "main.py"), *sys.argv[1:]]
    cli.main()
