"""Whether failures depend on the size of a group, on the version, or on neither.

``estimate`` turns derived tables into the contract's ``effects`` and ``size_thresholds``. The order of thought:
what was observed (``exposure``), how often it failed (``rates``), does a factor matter with the other held
fixed (``adjust``, ``within``), is there a size at which it breaks (``thresholds``, ``saturation``), when does a
growing group get there (``forecast``), and what may be said (``verdicts``). ``docs/statistics.md`` explains each
method with the error rates that simulations gave.
"""
