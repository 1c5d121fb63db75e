"""Collects a bundle from a live cluster with kubectl and calicoctl: it reads, and changes nothing there."""

from __future__ import annotations

from pipeline.collection.collect import Collected, collect
from pipeline.collection.commands import Cluster, every_command

__all__ = ["Cluster", "Collected", "collect", "every_command"]
