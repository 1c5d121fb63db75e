"""``peerscope capacity``: text for people, JSON for programs, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Peerscope = Callable[..., tuple[int, str, str]]


def test_a_plan_that_does_not_fit(peerscope: Peerscope) -> None:
    plan = ("capacity", "--peers", "200", "--md5", "--kernel", "5.15.0-105-generic")
    code, out, err = peerscope(*plan)
    assert (code, err) == (0, "")
    assert out.startswith("A daemon with 200 peers, each with a password: does not fit.")
    assert "200 of 150  OVER" in out
    assert all(len(line) <= 100 for line in out.splitlines())
    code, out, _ = peerscope(*plan, "--optmem-max", "131072", "--format", "json")
    told = json.loads(out)
    assert (code, told["mode"], told["fits"]) == (0, "plan", True)
    assert told["limits"][0] | {"about": ""} == {
        "name": "md5_keys", "used": 200, "limit": 963, "known": True, "hard": True, "about": "", "headroom": 763,
        "fits": True,
    }  # fmt: skip


def test_a_plan_without_password_fits_and_one_without_kernel_cannot_be_told(peerscope: Peerscope) -> None:
    assert "without password: fits" in peerscope("capacity", "--peers", "200", "--no-md5")[1].replace(
        "a password", "password"
    )
    assert "cannot be told without --kernel or --optmem-max" in peerscope("capacity", "--peers", "200")[1]


@pytest.mark.parametrize(
    "words", [("--md5",), ("--kernel", "6.8"), ("--peers", "0"), ("--peers", "9", "--kernel", "x"), ("--peers", "many")]
)
def test_usage(peerscope: Peerscope, words: tuple[str, ...]) -> None:
    code, out, err = peerscope("capacity", *words)
    assert (code, out) == (2, "")
    assert err


def test_of_a_warehouse(peerscope: Peerscope, small_warehouse: Path) -> None:
    where = ("--warehouse", str(small_warehouse), "capacity")
    code, out, _ = peerscope(*where)
    assert code == 0
    assert "probe_list" in out
    code, out, _ = peerscope(*where, "--format", "json", "--cluster", "healthy-group")
    told = json.loads(out)
    assert (code, told["mode"]) == (0, "warehouse")
    assert {room["cluster"] for room in told["reflectors"]} == {"healthy-group"}
    assert all(limit["name"] for room in told["reflectors"] for limit in room["limits"])
    assert peerscope(*where, "--cluster", "nowhere")[0] == 2


def test_nothing_published_is_no_input(peerscope: Peerscope, tmp_path: Path) -> None:
    assert peerscope("--warehouse", str(tmp_path), "capacity")[0] == 3
