"""Signals by name; importing the package registers them all."""

from __future__ import annotations

from pipeline.findings.signals import ends, places, records, sizes, timing
from pipeline.findings.signals.base import SIGNALS, evaluate, parameters

__all__ = ["SIGNALS", "ends", "evaluate", "parameters", "places", "records", "sizes", "timing"]
