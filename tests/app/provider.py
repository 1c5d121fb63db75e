"""A login provider for tests: speaks as much OpenID Connect as a login needs, and believes everybody."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "peerscope-test", "not-a-secret"


class Provider:
    """Who logs in next is ``claims``; nobody is asked for a password."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.claims: dict[str, Any] = {"email": "ann@example.org", "email_verified": True}
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._nonces: dict[str, str] = {}

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in places.items()},
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def keys(self) -> dict[str, Any]:
        """The public key, to check tokens with."""
        numbers = self._key.public_key().public_numbers()
        parts = {"n": numbers.n.to_bytes(256, "big"), "e": numbers.e.to_bytes(3, "big")}
        shown = {name: _text(part) for name, part in parts.items()}
        return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", **shown}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser is sent after the login."""
        code = secrets.token_urlsafe(16)
        self._nonces[code] = asked.get("nonce", "")
        return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})

    def token(self, asked: dict[str, str]) -> dict[str, Any]:
        """The signed statement who logged in."""
        now = int(time.time())
        body = {
            "iss": self.issuer, "aud": CLIENT, "sub": str(self.claims.get("email")), "iat": now, "exp": now + 600,
            "nonce": self._nonces.pop(asked["code"]), **self.claims,
        }  # fmt: skip
        return {"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": self._signed(body)}

    def _signed(self, body: dict[str, Any]) -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": "1"}
        text = ".".join(_text(json.dumps(part).encode()) for part in (head, body))
        return text + "." + _text(self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


@contextmanager
def provider() -> Iterator[Provider]:
    """A running provider on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/authorize":
                self.send_response(302)
                self.send_header(
                    "Location", shown.authorize({name: each[0] for name, each in parse_qs(place.query).items()})
                )
                self.end_headers()
            elif place.path == "/keys":
                self._say(shown.keys())
            else:
                self._say(shown.metadata())

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._say(shown.token({name: each[0] for name, each in parse_qs(text).items()}))

        def _say(self, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the output is the tests'."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        shown = Provider(f"http://localhost:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield shown
        finally:
            server.shutdown()


def _text(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
