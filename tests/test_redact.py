"""Secrets never survive; text without secrets is not changed."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.redact import MARK, is_secret_key, redact, redact_expr, redact_tree

SECRET = st.from_regex(r"[A-Za-z0-9+_][A-Za-z0-9+_.!]{18,30}[A-Za-z0-9]", fullmatch=True)
AROUND = st.sampled_from(["", "bird: ", "2026-11-23 07:19:36.112 [INFO][69] x.go 1: ", "10.0.0.1 said "])
FORMS = [
    'password "{s}";',
    "  password {s};",
    'neighbor 10.0.0.12 as 64512; password "{s}";',
    '{"password":"{s}","a":1}',
    '{"m":"{\\"authToken\\":\\"{s}\\"}"}',
    "password: {s}",
    'etcdPassword: "{s}"',
    "- token: '{s}'",
    "{name: x, secret: {s}, z: 1}",
    "ETCD_PASSWORD={s}",
    "PGPASSWORD='{s}' psql",
    "aws_secret_access_key = {s}",
    "http://10.0.0.1:2379/?access_token={s}&x=1",
    "kubeadm join --token {s} 10.0.0.1:6443",
    "Authorization: Basic {s}",
    "Authorization: Bearer {s}",
    "bearer {s}",
    "https://user:{s}@10.0.0.1:2379/x",
]
MULTILINE = [
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  rr: {s}\n  other: |\n    {s}\n",
    "apiVersion: v1\nkind: Secret\nstringData:\n  rr: {s}\n---\nkind: ConfigMap\ndata:\n  a: b\n",
    '{"kind": "Secret", "data": {\n "rr": "{s}"\n}}',
    '{"kind":"List","items":[{"data":{"rr":"{s}"},"kind":"Secret"}]}',
    "password: |\n  {s}\n  {s}\nname: x\n",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{s}\n{s}\n-----END RSA PRIVATE KEY-----\nrest",
    "-----BEGIN PRIVATE KEY-----\n{s}\n{s}",
]
PLAIN = [
    "bird: Mesh_10_0_0_12: State changed to up",
    "Node_10_0_1_2: Socket error: TCP_MD5SIG: Cannot allocate memory",
    "The password for TCP MD5 Signature is too long",
    'Can\'t read password for BGPPeer rr-1 error=secret "bgp-secrets" not found',
    "password:\n  secretKeyRef:\n    name: bgp-secrets\n    key: rr-password",
    '{"password":{"secretKeyRef":{"name":"bgp-secrets","key":"rr-password"}}}',
    "automountServiceAccountToken: true",
    "secretName: calico-etcd-secrets",
    "imagePullSecrets: []",
    "Unable to authenticate the request: bearer token is missing",
    'Get "https://10.96.0.1:443/api/v1/nodes": dial tcp 10.96.0.1:443: i/o timeout',
    "http://[fd00::1]:2379/v2/keys",
    "kind: ConfigMap\ndata:\n  a: b",
    "Mesh_10_0_0_12 BGP      master   up     2024-12-18  Established",
    "neighbor 10.0.0.12 as 64512;",
    "has(token) && secret == 'x'",
    "tcp 0 1 10.0.0.11:45095 10.0.1.1:179 SYN_SENT",
]


def in_polars(text: str) -> str:
    return str(pl.DataFrame({"t": [text]}).select(redact_expr(pl.col("t")))["t"][0])


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=25)
@given(secret=SECRET, around=AROUND)
def test_a_secret_never_survives(form: str, secret: str, around: str) -> None:
    starts_a_line = form.startswith(("  password", "password:", "etcd", "- token"))
    text = ("" if starts_a_line else around) + form.replace("{s}", secret) + " 10.0.0.9"
    for out in (redact(text), in_polars(text)):
        assert secret not in out
        assert MARK in out
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize("form", MULTILINE)
@settings(deadline=None, max_examples=40)
@given(secret=SECRET)
def test_secrets_on_several_lines(form: str, secret: str) -> None:
    text = form.replace("{s}", secret)
    out = redact(text)
    assert secret not in out
    assert out.count("\n") == text.count("\n")


def test_what_stands_beside_a_secret_stays() -> None:
    assert (
        redact('neighbor 10.0.0.12 as 64512; password "x"; passive on;')
        == f'neighbor 10.0.0.12 as 64512; password "{MARK}"; passive on;'
    )
    assert redact("https://u:p@10.0.0.1:2379/x") == f"https://u:{MARK}@10.0.0.1:2379/x"
    assert redact("kind: Secret\ndata:\n  a: b\n---\nkind: ConfigMap\ndata:\n  a: b").endswith(
        "kind: ConfigMap\ndata:\n  a: b"
    )
    assert redact("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nrest").endswith("\nrest")


@pytest.mark.parametrize("text", PLAIN)
def test_text_without_secrets_is_not_changed(text: str) -> None:
    assert redact(text) == text
    assert in_polars(text) == text


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_keeps_its_number_of_lines(text: str) -> None:
    assert redact(text).count("\n") == text.count("\n")
    assert redact("password: " + text).count("\n") == text.count("\n")


@settings(deadline=None)
@given(st.text(alphabet="abcdefghij 0123456789.:/_-[]()=\n", max_size=80))
def test_text_of_harmless_letters_is_not_changed(text: str) -> None:
    assert redact(text) == text
    assert in_polars(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a.b-" * 50_000 + "token",
        "token_" * 30_000,
        '"token":"' * 20_000,
        "-----BEGIN PRIVATE KEY-----" * 5000,
        "a://" * 30_000,
        "--" * 90_000 + "token ",
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 8


def test_aws_keys_and_json_web_tokens() -> None:
    assert redact("key AKIAABCDEFGHIJKLMNOP used") == f"key {MARK} used"
    assert redact("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl from 10.0.0.1") == f"got {MARK} from 10.0.0.1"


def test_null_values_of_a_column_stay_null() -> None:
    frame = pl.DataFrame({"t": [None, "password: a"]}, schema={"t": pl.String})
    assert frame.select(redact_expr(pl.col("t")))["t"].to_list() == [None, f"password: {MARK}"]


def test_trees() -> None:
    value = {
        "password": {"secretKeyRef": {"name": "bgp-secrets", "key": "rr-password"}},
        "token": "x",
        "apiKey": 12,
        "env": [{"name": "ETCD_PASSWORD", "value": "x"}, {"name": "IP", "value": "autodetect"}],
        "url": "https://u:p@10.0.0.1",
        "automountServiceAccountToken": True,
    }
    assert redact_tree(value) == {
        "password": {"secretKeyRef": {"name": "bgp-secrets", "key": "rr-password"}},
        "token": MARK,
        "apiKey": MARK,
        "env": [{"name": "ETCD_PASSWORD", "value": MARK}, {"name": "IP", "value": "autodetect"}],
        "url": f"https://u:{MARK}@10.0.0.1",
        "automountServiceAccountToken": True,
    }


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True),
        ("rr-password", True),
        ("clientSecret", True),
        ("secretKeyRef", False),
        ("secretName", False),
        ("tokenTTL", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret_key(name) is secret
