"""Compiles ``scan.c`` when peerscope is installed or packed.

Where there is no C compiler the rest is installed all the same: peerscope then reads every line in full, which gives
the same facts in more time.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE, LIBRARY = "pipeline/native/scan.c", "pipeline/native/_scan.so"
# no paths and no dates in the result: two builds are equal
FLAGS = ("-std=c11", "-O3", "-Wall", "-Wextra", "-fPIC", "-shared", "-Wl,--build-id=none")


class CompileScan(BuildHookInterface[Any]):
    """The build hook; ``CC`` and ``CFLAGS`` are heeded."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile, and make the wheel one of this platform."""
        (Path(self.root) / LIBRARY).unlink(missing_ok=True)
        compiler = os.environ.get("CC", "cc")
        flags = FLAGS if sysconfig.get_platform().startswith("linux") else FLAGS[:-1]
        command = [*shlex.split(compiler), *flags, *shlex.split(os.environ.get("CFLAGS", "")), SOURCE, "-o", LIBRARY]
        if shutil.which(command[0]) is None:
            self.app.display_warning(f"no C compiler ({compiler}): peerscope is installed without its fast scan")
            return
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode:
            self.app.display_warning(f"{shlex.join(command)} failed: installed without the fast scan\n{done.stderr}")
            return
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-" + sysconfig.get_platform().replace("-", "_").replace(".", "_")
