"""``python -m jobs.supply``: what peerscope is made of, from the metadata of what is installed.

licences   a table of the packages that a user installs, with their licences
sbom       the same as CycloneDX 1.6 JSON, with hashes from the lock file
audit      what can be checked without a network, then pip-audit where it is installed and reaches its database
all        (without a word) the first two into dist/, then the audit
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
NAME = "peerscope"
# Licences that may be passed on with an Apache-2.0 program, as they are worded in metadata.
ALLOWED = re.compile(
    r"(?i)apache|bsd|mit\b|mit license|psf|python software|mpl|mozilla|isc\b|unlicense|0bsd|zlib|cnri|hpnd|"
    r"public domain|cc0"
)


def closure(extras: tuple[str, ...] = ("app", "remote")) -> dict[str, metadata.Distribution]:
    """Installed distributions that ``peerscope[extras]`` needs here, by canonical name, without itself."""
    found: dict[str, metadata.Distribution] = {}
    todo: list[tuple[str, tuple[str, ...]]] = [(NAME, extras)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            dist = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise SystemExit(f"{name} is not installed; `make setup` installs what the lock file names") from None
        if name != NAME:
            found[name] = dist
        todo += list(_needs(dist, wanted))
    return dict(sorted(found.items()))


def _needs(dist: metadata.Distribution, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in dist.requires or ():
        need = Requirement(text)
        places = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
        if need.marker is None or any(need.marker.evaluate(place) for place in places):  # type: ignore[arg-type]
            yield canonicalize_name(need.name), tuple(sorted(need.extras))


def licence_of(dist: metadata.Distribution) -> str:
    """The licence as the package states it: expression, classifier, or the first line of its field."""
    about = dist.metadata
    if "License-Expression" in about:
        return about["License-Expression"]
    classifiers = [
        text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or () if text.startswith("License ::")
    ]
    if classifiers:
        return "; ".join(classifiers)
    first = about["License"].strip().splitlines() if "License" in about else []
    return first[0][:80] if first else "not stated"


def licences() -> str:
    """One line for each package."""
    rows = [(name, dist.version, licence_of(dist)) for name, dist in closure().items()]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{width}}  {version:<16}  {licence}" for name, version, licence in rows)


def locked() -> dict[str, tuple[str, list[str]]]:
    """Version and SHA-256 hashes of each package of the lock file that is meant for this machine."""
    found: dict[str, tuple[str, list[str]]] = {}
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not re.match(r"^[A-Za-z0-9]", line):
            continue
        need = Requirement(line.partition(" --hash")[0])
        if need.marker is None or need.marker.evaluate():
            version = str(need.specifier).removeprefix("==")
            found[canonicalize_name(need.name)] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def sbom() -> dict[str, Any]:
    """A CycloneDX document: the same bytes for the same installation."""
    lock = locked()
    components = [_component(name, dist, lock.get(name, ("", []))[1]) for name, dist in closure().items()]
    own = metadata.distribution(NAME)
    root = f"pkg:pypi/{NAME}@{own.version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps([root, components], sort_keys=True))}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": root, "name": NAME, "version": own.version,
                                   "purl": root, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [row["bom-ref"] for row in components]}],
    }  # fmt: skip


def _component(name: str, dist: metadata.Distribution, hashes: list[str]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{dist.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": dist.version,
        "purl": purl,
        "licenses": [{"license": {"name": licence_of(dist)}}],
        "hashes": [{"alg": "SHA-256", "content": text} for text in hashes],
    }


def problems() -> list[str]:
    """What can be told to be wrong without a network."""
    lock, out = locked(), []
    for name, (version, hashes) in lock.items():
        if not hashes:
            out.append(f"{name}=={version}: no hash in {LOCK.name}; run `make lock`")
    for name, dist in closure().items():
        if name not in lock:
            out.append(f"{name} {dist.version}: needed but not in {LOCK.name}; run `make lock`")
        elif lock[name][0] != dist.version:
            out.append(f"{name}: {dist.version} is installed, {lock[name][0]} is locked; run `make setup`")
        if not ALLOWED.search(licence_of(dist)):
            out.append(f"{name} {dist.version}: licence {licence_of(dist)!r}; look at it before passing it on")
    return out


def audit() -> int:
    """Say what was found; known vulnerabilities only where pip-audit reaches its database."""
    found = problems()
    for text in found:
        print(text)
    print(f"checked without a network: pins, hashes and licences of {len(closure())} packages, {len(found)} problems")
    program = shutil.which("pip-audit", path=str(Path(sys.executable).parent)) or shutil.which("pip-audit")
    if program is None:
        print("NOT checked: known vulnerabilities (pip-audit is not installed)")
        return int(bool(found))
    words = [program, "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", str(LOCK)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode and "vulnerabilit" not in done.stdout + done.stderr:
        print("NOT checked: known vulnerabilities (pip-audit could not reach its database)")
        return int(bool(found))
    print(done.stdout + done.stderr)
    return int(bool(found or done.returncode))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="all", choices=("licences", "sbom", "audit", "all"))
    what = parser.parse_args().what
    if what == "all":
        folder = ROOT / "dist"
        folder.mkdir(exist_ok=True)
        (folder / "licences.txt").write_text(licences() + "\n", encoding="utf-8")
        (folder / "sbom.cdx.json").write_text(json.dumps(sbom(), indent=2) + "\n", encoding="utf-8")
        print(f"wrote licences.txt and sbom.cdx.json to {folder}")
    if what in ("audit", "all"):
        sys.exit(audit())
    print(licences() if what == "licences" else json.dumps(sbom(), indent=2))


if __name__ == "__main__":
    main()
