"""Limits, against what was measured and published."""

from __future__ import annotations

import pytest

from pipeline.findings.limits import default_optmem_max, md5_key_limit, mesh_sessions, optmem_for

PUBLISHED = [(10240, 75), (20480, 150), (40960, 301), (65536, 481), (81920, 602), (131072, 963), (204800, 1505),
             (262144, 1927), (524288, 3855), (1048576, 7710), (2097152, 15420)]  # fmt: skip


@pytest.mark.parametrize(("optmem", "keys"), PUBLISHED)
def test_keys_of_one_listening_socket(optmem: int, keys: int) -> None:
    assert md5_key_limit(optmem) == keys


@pytest.mark.parametrize(
    ("kernel", "bytes_"),
    [("5.4.0-81-generic", 20480), ("6.7.12", 20480), ("6.8.0-31-generic", 131072), ("6.18.44", 131072), ("?", None)],
)
def test_default_of_the_kernel(kernel: str, bytes_: int | None) -> None:
    assert default_optmem_max(kernel) == bytes_


def test_the_next_setting_holds_the_peers() -> None:
    assert optmem_for(155) == 131072
    assert optmem_for(964) == 262144


def test_sessions_of_a_mesh() -> None:
    assert mesh_sessions(40) == 780
