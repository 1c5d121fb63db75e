"""Causes are data, and wrong data is refused with the place and the reason."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from pipeline.errors import RulesetError
from pipeline.findings.catalogue import FOLDER, load_catalogue

UNDETERMINED = '[[cause]]\nid = "undetermined"\nseverity = "warning"\napplies_to = ["session"]\n'
GOOD = """
[[cause]]
id = "x"
severity = "error"
applies_to = ["session"]
  [[cause.signals]]
  signal = "bare_state"
  role = "required"
  weight = 0.5
"""
WRONG = [
    ("not TOML", "[[cause"),
    ("stands twice", GOOD + GOOD),
    ("unknown field 'colour'", GOOD.replace('severity = "error"', 'severity = "error"\ncolour = "red"')),
    ("severity must be", GOOD.replace('"error"', '"bad"')),
    ("applies_to must name", GOOD.replace('["session"]', '["moon"]')),
    ("unknown signal 'vibes'", GOOD.replace("bare_state", "vibes")),
    ("has no parameter 'pattern'", GOOD + '  pattern = "x"\n'),
    ("pattern does not compile", GOOD.replace('"bare_state"', '"error_text"\n  pattern = "("')),
    ("weight must be in", GOOD.replace("0.5", "1.5")),
    ("needs at least one signal with the role 'required'", GOOD.replace('"required"', '"supports"')),
    ("look-alike 'nobody' does not exist", GOOD.replace('severity = "error"', 'severity = "error"\nlook_alikes = ["nobody"]')),
    ("role 'maybe' must be", GOOD.replace('"required"', '"maybe"')),
]  # fmt: skip


@pytest.mark.parametrize(("message", "text"), WRONG)
def test_wrong_causes_are_refused(tmp_path: Path, message: str, text: str) -> None:
    (tmp_path / "a.toml").write_text(UNDETERMINED + text)
    with pytest.raises(RulesetError, match=re.escape(message)):
        load_catalogue(tmp_path)


def test_the_version_is_the_content(tmp_path: Path) -> None:
    versions = set()
    for number, text in enumerate((UNDETERMINED, UNDETERMINED + GOOD)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "a.toml").write_text(text)
        versions.add(load_catalogue(folder).version)
    assert len(versions) == 2


def test_every_cause_says_what_to_do_what_refutes_it_and_where_it_comes_from() -> None:
    for cause in load_catalogue().causes.values():
        assert cause.title and cause.remedy and cause.refuted_by, cause.id
        assert cause.cite or cause.id == "undetermined", cause.id


def test_commands_fit_on_a_line() -> None:
    for path in FOLDER.glob("*.toml"):
        for cause in tomllib.loads(path.read_text())["cause"]:
            for line in cause.get("remedy", []):
                assert not line.startswith("$ ") or len(line) <= 94, f"{cause['id']}: {line}"


def test_the_causes_of_the_contract_are_there() -> None:
    wanted = [
        "md5_key_limit",
        "md5_password_mismatch",
        "md5_password_unreadable",
        "md5_unsupported",
        "port_filtered",
        "peer_not_listening",
        "peer_unreachable",
        "wrong_address_autodetected",
        "duplicate_node_address",
        "unknown_source_address",
        "as_mismatch",
        "router_id_conflict",
        "reflector_overloaded",
        "path_loss",
        "mesh_too_large",
        "neighbour_table_overflow",
        "conntrack_full",
        "descriptor_limit",
        "listen_port_taken",
        "local_address_missing",
        "bird_not_running",
        "config_not_rendered",
        "config_rejected",
        "reload_missed",
        "reload_storm",
        "graceful_restart_wait",
        "planned_restart",
        "peer_deconfigured",
        "datastore_unreachable",
        "felix_masks_bgp",
        "probe_timeout",
        "startup_transient",
        "double_peering",
        "peering_asymmetric",
        "stale_node",
        "route_programming",
        "out_of_memory",
        "process_crash",
        "undetermined",
    ]
    assert set(wanted) <= set(load_catalogue().causes)
