"""Which category a session's last error belongs to.

The texts are the ones that a status table shows (``bird:proto/bgp/bgp.c`` bgp_get_status) with either libc's
error names. The order matters: the first pattern that is found decides.
"""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

from pipeline.sessions.pooled import NAME

BARE = "bgp_not_established"
HEALTHY = "session_established"
SOFT = (BARE, "connection_closed", "connection_reset", "cease_connection_collision")
"""What follows from other faults as well, and therefore never hides one."""

REASONS: tuple[tuple[str, str], ...] = (
    (r"Kernel MD5 auth failed|TCP_MD5SIG|TCP MD5 [Ss]ignature|Authentication failed", "md5_kernel_setup_failed"),
    (r"MD5 [Hh]ash", "md5_hash_mismatch"),
    (r"Hold timer expired|[Hh]old time expired", "hold_timer_expired"),
    (r"Connection refused", "connection_refused"),
    (r"Connection reset", "connection_reset"),
    (r"Host is unreachable|No route to host", "no_route_to_host"),
    (r"Network (is )?unreachable", "network_unreachable"),
    (r"timed out|i/o timeout", "connect_timeout"),
    (r"Address (already )?in use|Address not available|Cannot assign requested|No listening socket",
     "cannot_assign_address"),
    (r"Bad peer AS", "bad_peer_as"),
    (r"Administrative shutdown|Administratively [Ss]hutdown|Unknown error 6\.2$", "cease_admin_shutdown"),
    (r"collision", "cease_connection_collision"),
    (r"Cease|de-?configured|configuration change|Administrative reset|Out of Resources|Connection rejected"
     r"|Maximum number of prefixes|Route limit|Unknown error 6", "cease_other"),
    (r"Neighbor lost|Link down|BFD session down", "neighbor_lost"),
    (r"Graceful restart", "graceful_restart"),
    (r"No buffer space|No file descriptors|Too many open files|Out of memory|Cannot allocate memory",
     "resource_exhaustion"),
    (r"OPEN|BGP identifier|Unsupported (version|optional)|[Hh]old time|capability|Authentication failure"
     r"|Finite state machine|Unexpected message|message header|synchronized|Bad message|Connection not sync",
     "open_error"),
    (r"UPDATE|attribute|AS_PATH|NEXT_HOP|ORIGIN|network field|AS routing loop", "update_error"),
    (r"Connection closed|Broken pipe|aborted|EOF", "connection_closed"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), category) for pattern, category in REASONS)


@lru_cache(maxsize=10_000)
def category_of(error: str | None) -> str:
    """Category of one last-error text; no text is a session that is down without saying why."""
    if not error:
        return BARE
    for pattern, category in _COMPILED:
        if pattern.search(error):
            return category
    return BARE


def with_category(frame: pl.DataFrame, column: str = "error") -> pl.DataFrame:
    """Add ``category`` for the error texts in ``column``; only distinct texts are looked at."""
    distinct = frame.get_column(column).drop_nulls().unique()
    known = {text: category_of(text) for text in distinct}
    return frame.with_columns(
        category=pl.col(column).replace_strict(known, default=BARE, return_dtype=NAME).fill_null(pl.lit(BARE, NAME))
    )
