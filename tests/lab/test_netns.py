"""Whose namespaces are whose."""

import os

from sample_logs.lab import PREFIX, netns


def test_a_namespace_of_a_living_run_has_an_owner() -> None:
    assert netns.owner(f"{PREFIX}{netns.new_run_id()}-node-001") == os.getpid()


def test_what_belongs_to_nobody_is_abandoned() -> None:
    no_such_process = 2**22 + 1
    assert netns.owner(f"{PREFIX}{no_such_process:x}.abcd-node-001") is None
    assert netns.owner(f"{PREFIX}whatever") is None
