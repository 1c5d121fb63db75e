"""Posts to a webhook with the standard library: bounded in time, patient with a receiver that is busy."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from pipeline import __version__
from pipeline.errors import NotifyError, UsageError

_ALERTS = "/api/v2/alerts"
# A receiver may ask for patience; a scheduled job has little of it.
MOST_PATIENCE = 30.0
_BUSY = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Webhook:
    """A receiver. ``token`` goes into the Authorization header."""

    url: str
    kind: str = "generic"
    token: str | None = None
    seconds: float = 10.0
    attempts: int = 4

    @property
    def target(self) -> str:
        """Address to post to; Alertmanager's path is added where only its root is given.

        Raises:
            UsageError: the address is not one of HTTP.
        """
        parts = urllib.parse.urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError("--webhook: give an address that begins with http:// or https://")
        if self.kind == "alertmanager" and not parts.path.endswith(_ALERTS):
            parts = parts._replace(path=parts.path.rstrip("/") + _ALERTS)
        return urllib.parse.urlunsplit(parts)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET to a place nobody named."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def send(hook: Webhook, body: bytes, sleep: Callable[[float], None] = time.sleep) -> int:
    """Post ``body``; returns how many attempts it took.

    Raises:
        NotifyError: the receiver refused it, or did not take it in ``attempts``.
    """
    headers = {"Content-Type": "application/json", "User-Agent": f"peerscope/{__version__}"}
    if hook.token:
        headers["Authorization"] = f"Bearer {hook.token}"
    opener = urllib.request.build_opener(_NoRedirect)
    target = hook.target
    shown = urllib.parse.urlsplit(target).netloc.rpartition("@")[2]
    problem, wait = "", 1.0
    for attempt in range(1, max(1, hook.attempts) + 1):
        request = urllib.request.Request(target, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with opener.open(request, timeout=hook.seconds) as answer:
                answer.read(1 << 16)
            return attempt
        except urllib.error.HTTPError as exc:
            problem = f"{exc.code} {exc.reason}"
            said = exc.headers.get("Retry-After", "") if exc.headers else ""
            exc.close()
            if exc.code not in _BUSY:
                raise NotifyError(
                    f"webhook {shown}: refused the notice: {problem}; check the address, --kind and the token"
                ) from exc
            if said.isdigit():
                wait = max(wait, min(float(said), MOST_PATIENCE))
        except (TimeoutError, urllib.error.URLError, http.client.HTTPException, OSError) as exc:
            problem = str(getattr(exc, "reason", exc)) or type(exc).__name__
        if attempt < hook.attempts:
            sleep(wait)
            wait = min(wait * 2, MOST_PATIENCE)
    raise NotifyError(
        f"webhook {shown}: {problem} after {max(1, hook.attempts)} attempts; the next run tries again, nothing is lost"
    )
