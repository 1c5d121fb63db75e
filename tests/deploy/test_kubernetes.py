"""The manifests: valid against the schemas of Kubernetes, and as closed as they say."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from tests.deploy.support import DEPLOY, documents, tool

KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
BASE = [path for path in sorted((KUBERNETES / "base").glob("*.yaml")) if path.name != "kustomization.yaml"]


@cache
def built(overlay: str) -> tuple[dict[str, Any], ...]:
    """The objects of an overlay, through kustomize."""
    kubectl = tool("kubectl", "kubernetes-client of Debian 13 or newer")
    if (
        "kustomizeVersion"
        not in subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, text=True).stdout
    ):
        pytest.skip("this kubectl is older than 1.24 and cannot build the overlays; only the structure was checked")
    done = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / "overlays" / overlay)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return tuple(documents(done.stdout))


def pod_specs(objects: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in objects:
        name = f"{item['kind']}/{item['metadata']['name']}"
        if item["kind"] == "CronJob":
            yield name, item["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        elif item["kind"] == "Deployment":
            yield name, item["spec"]["template"]["spec"]


def base_objects() -> list[dict[str, Any]]:
    return [item for path in BASE for item in documents(path.read_text())]


def assert_closed(name: str, spec: dict[str, Any]) -> None:
    assert spec["securityContext"]["runAsNonRoot"] is True, name
    assert spec["securityContext"]["runAsUser"] > 0, name
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        own = container["securityContext"]
        assert own["readOnlyRootFilesystem"] is True, name
        assert own["allowPrivilegeEscalation"] is False, name
        assert own["capabilities"] == {"drop": ["ALL"]}, name
        assert "memory" in container["resources"]["limits"], name
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}, name
        assert "tmp" in mounted, f"{name}: a read-only root needs somewhere to write"


def test_pods_are_closed_without_any_tool() -> None:
    specs = dict(pod_specs(base_objects()))
    for name, spec in specs.items():
        assert_closed(name, spec)
    assert list(specs) == ["Deployment/app", "CronJob/maintain", "CronJob/run"]


def test_jobs_never_run_twice_and_always_end() -> None:
    for item in base_objects():
        if item["kind"] == "CronJob":
            assert item["spec"]["concurrencyPolicy"] == "Forbid"
            assert item["spec"]["startingDeadlineSeconds"] >= 60
            assert item["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"]
            assert len(item["metadata"]["name"]) <= 52


def test_the_app_cannot_write_the_warehouse() -> None:
    app = next(spec for name, spec in pod_specs(base_objects()) if name == "Deployment/app")
    mounts = {mount["name"]: mount.get("readOnly") for mount in app["containers"][0]["volumeMounts"]}
    assert mounts["warehouse"] is True


def test_everything_is_closed_before_anything_is_opened() -> None:
    policies = [item for item in base_objects() if item["kind"] == "NetworkPolicy"]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in [item["spec"] for item in policies]


def test_settings_in_the_config_map_exist() -> None:
    from pipeline.settings import load_settings

    settings, _ = load_settings({}, KUBERNETES / "base" / "peerscope.toml", {})
    assert settings.log_format == "json"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_builds_and_stays_closed(overlay: str) -> None:
    objects = built(overlay)
    for name, spec in pod_specs(objects):
        assert_closed(name, spec)
    run = next(spec for name, spec in pod_specs(objects) if name == "CronJob/run")
    logs = next(volume for volume in run["volumes"] if volume["name"] == "logs")
    assert set(logs) - {"name"} == {
        {"volume": "persistentVolumeClaim", "hostpath": "hostPath"}.get(overlay, "emptyDir")
    }
    mount = next(m for m in run["containers"][0]["volumeMounts"] if m["name"] == "logs")
    assert mount["readOnly"] is True


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_objects_are_valid_for_kubernetes(overlay: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate (PyPI) is not installed")
    for item in built(overlay):
        validator.validate(item, "1.33", strict=True)


def test_only_the_collecting_overlay_has_rights() -> None:
    for overlay in OVERLAYS:
        kinds = {item["kind"] for item in built(overlay)}
        assert ("ClusterRole" in kinds) == (overlay == "collect")
    granted = [rule for item in built("collect") for rule in item.get("rules", ())]
    verbs = {verb for rule in granted for verb in rule["verbs"]}
    assert verbs == {"get", "list", "create"}
    assert [rule["resources"] for rule in granted if "create" in rule["verbs"]] == [["pods/exec"]]
    assert not any("secrets" in rule["resources"] for rule in granted)


def test_every_manifest_is_named_by_a_kustomization() -> None:
    for folder in (KUBERNETES / "base", *(KUBERNETES / "overlays").iterdir()):
        told = yaml.safe_load((folder / "kustomization.yaml").read_text())
        named = {*told["resources"], *(patch.get("path") for patch in told.get("patches", ()))}
        named |= {name for entry in told.get("configMapGenerator", ()) for name in entry["files"]}
        assert {path.name for path in folder.iterdir()} - {"kustomization.yaml"} <= named
