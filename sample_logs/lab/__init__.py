"""A cluster of real BIRD daemons in network namespaces, recorded together with the truth about it."""

PREFIX = "pslab-"
"""First letters of every namespace the lab makes; ``clean`` removes what carries them."""

PASSWORD = "lab-not-a-secret"
"""The TCP MD5 password of every protected session."""
