"""Recorded runs of real BGP daemons, and the lab that made them."""
