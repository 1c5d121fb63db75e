"""Findings: groups and their sizes, incidents, and what caused them, with evidence.

``analyse`` is the way in for the jobs; ``investigate`` does the same on plain frames and also gives the
findings as objects. Reports are in :mod:`pipeline.findings.report`.
"""

from __future__ import annotations

from pipeline.findings.analyse import Analysis, analyse, investigate
from pipeline.findings.catalogue import load_catalogue
from pipeline.findings.derived import Finding

__all__ = ["Analysis", "Finding", "analyse", "investigate", "load_catalogue"]
