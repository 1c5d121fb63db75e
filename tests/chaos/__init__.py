"""Fault and fuzz campaigns: ``python -m tests.chaos --faults 200 --seed 1``."""
