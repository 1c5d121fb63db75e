"""Passwords, tokens and keys are taken out of text before anything is stored. Addresses stay.

``redact`` works on any text and keeps its number of lines, so places in the source stay right.
``redact_expr`` is the same for a Polars column; its rules are those of ``redact`` that fit one record (the
multi-line forms, data of Secrets and block scalars, need the whole document and belong to ``redact`` alone).

The patterns use neither look-around nor back-references: the same text runs in Python and in Rust's
``regex``. Python's engine backtracks, hence bounded prefixes and a cheap test for a telling word before.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import polars as pl

MARK = "[redacted]"

# Keys whose value is a secret: a word for a password wherever it ends a key; the others where they are a part
# of it by themselves (`etcd_token`, `clientSecret`), so that `automountServiceAccountToken: true` stays.
_WHOLE = r"(?i:password|passwd|passphrase)"
_PARTED = (
    r"(?i:token|secret|secret[_\-]?key|access[_\-]?key|secret[_\-]?access[_\-]?key|api[_\-]?key|private[_\-]?key"
    r"|client[_\-]?secret|auth[_\-]?key|psk)"
)
_CAMEL = (
    r"(?:Secret|[Aa]ccessToken|[Aa]uthToken|[Bb]earerToken|[Rr]efreshToken|[Ii]dToken|ApiKey|[Ss]ecretKey"
    r"|[Aa]ccessKey|[Pp]rivateKey)"
)
_KEY = rf"(?:[\w.\-]{{0,64}}{_WHOLE}|(?:[\w.\-]{{0,64}}[_.\-])?{_PARTED}|[\w.\-]{{0,64}}{_CAMEL})"
# The same where nothing anchors its beginning: looking for the end of a key keeps the search linear.
_TAIL = rf"(?:{_WHOLE}|(?:^|[^A-Za-z0-9]){_PARTED}|{_CAMEL})"
_QUOTED = r'"(?:[^"\\\n]|\\.)*"?|' + r"'[^'\n]*'?"


class _Rule(NamedTuple):
    words: tuple[str, ...]
    pattern: str
    replacement: str  # $1, $2 … in the notation of Rust; ``redact`` translates it


_KEY_WORDS = ("passw", "passphrase", "token", "secret", "key", "psk")
_RULES = [
    _Rule(
        ("private key",),
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:-{0,4}[^-])*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?",
        MARK,
    ),
    # BIRD: password "…";   password …;
    _Rule(("password",), rf"(?i:\b(password)\s+)(?:{_QUOTED})", f'$1 "{MARK}"'),
    # the same inside a quoted text
    _Rule(("password",), r'(?i:\b(password)\s+)\\+"[^"\n]*"?', f'$1 \\"{MARK}\\"'),
    _Rule(("password",), r"(?m)((?:^|[{;])[ \t]*(?i:password)[ \t]+)[^\s;\"'][^\n;]*;", f"${{1}}{MARK};"),
    # FRR, Cisco: neighbor 10.0.0.1 password [7] …
    _Rule(
        ("password",),
        r"((?i:neighbor)[ \t]+\S+[ \t]+(?i:password)[ \t]+(?:\d[ \t]+)?)[^\n]+",
        f"${{1}}{MARK}",
    ),
    # JSON, also inside a quoted string
    _Rule(_KEY_WORDS, rf'({_TAIL}"\s*:\s*)(?:"(?:[^"\\\n]|\\.)*"?|-?\d[\d.]*)', f'$1"{MARK}"'),
    _Rule(_KEY_WORDS, rf'({_TAIL}\\+"\s*:\s*\\+")[^"\n]*"?', f'$1{MARK}\\"'),
    # YAML, one key a line or in flow style; `{{`, `[`, `|`, `>` begin no plain secret
    _Rule(
        _KEY_WORDS,
        rf"(?m)(^[ \t]*(?:- +)?[\"']?{_KEY}[\"']?[ \t]*:[ \t]+)(?:{_QUOTED}|[^\s{{\[|>&*!\"'][^\n]*)",
        f"$1{MARK}",
    ),
    _Rule(
        _KEY_WORDS,
        rf"([{{,][ \t]*[\"']?{_KEY}[\"']?[ \t]*:[ \t]+)(?:{_QUOTED}|[^\s{{\[|>&*!,}}\"'][^\n,}}]*)",
        f"$1{MARK}",
    ),
    # environment, command line, INI, query strings
    _Rule(_KEY_WORDS, rf"({_TAIL}[ \t]?=[ \t]?)(?:{_QUOTED}|[^\s=\"'&\[][^\s\"'&]*)", f"$1{MARK}"),
    _Rule(_KEY_WORDS, rf"((?:^|\s)--{_KEY}[ \t]+)(?:{_QUOTED}|[^\s\-\"'\[][^\s\"']*)", f"$1{MARK}"),
    # what looks like a credential by itself
    _Rule(
        ("authorization",),
        r"(?i:\b(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|digest|token)\s+))[^\s\"'\[][^\s\"']*",
        f"$1{MARK}",
    ),
    _Rule(("bearer",), r"(?i:\b(bearer\s+))[^\s\"'\[]{16,}", f"$1{MARK}"),
    _Rule(("eyj",), r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?", MARK),
    _Rule(
        ("://",),
        r"(\b[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s/:@\"'\[]{0,256}:)[^\s/@\"'\[][^\s/@\"']*@",
        f"${{1}}{MARK}@",
    ),
    _Rule(
        ("akia", "asia", "aida", "aroa", "agpa", "anpa"),
        r"\b(?:AKIA|ASIA|AIDA|AROA|AGPA|ANPA)[0-9A-Z]{16}\b",
        MARK,
    ),
    _Rule(("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{20,}", MARK),
]  # fmt: skip

_COMPILED = [
    (
        rule.words,
        re.compile(rule.pattern),
        re.sub(r"\$\{?(\d)\}?", r"\\g<\1>", rule.replacement.replace("\\", "\\\\")),
    )
    for rule in _RULES
]
_ANY_WORD = tuple(dict.fromkeys(word for rule in _RULES for word in rule.words))
_GUARD = "(?i)" + "|".join(re.escape(word) for word in _ANY_WORD)

_KEY_WHOLE = re.compile(_KEY)
_SECRET_KIND = re.compile(r"""["']?kind\\*["']?\s*:\s*\\*["']?Secret(?:List)?\b""")
_DATA_HEAD = re.compile(r"""^(\s*(?:- +)?)["']?(?:data|stringData)["']?\s*:\s*$""")
_BLOCK_HEAD = re.compile(rf"""^(\s*(?:- +)?)["']?(?:{_KEY})["']?\s*:\s*[|>][-+0-9]*\s*$""")
_PAIR = re.compile(r"""^(\s*["']?[\w.\-]{1,253}["']?\s*:\s*)(\S.*)$""")
_JSON_DATA = re.compile(r'(\\*"(?:data|stringData)\\*"\s*:\s*\{)[^{}]*')


def _keep_lines(match: re.Match[str], replacement: str) -> str:
    missing = match[0].count("\n") - replacement.count("\n")
    return replacement + "\n" * max(missing, 0)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _in_secrets(lines: list[str]) -> list[bool]:
    """Of each line, whether its YAML document holds a Secret."""
    starts = [0, *(i for i, line in enumerate(lines) if i and line.startswith("---")), len(lines)]
    out: list[bool] = []
    for first, end in itertools.pairwise(starts):
        out += [bool(_SECRET_KIND.search("\n".join(lines[first:end])))] * (end - first)
    return out


def _redact_blocks(text: str) -> str:
    """Values below ``data:`` of a Secret and block scalars below a secret's key, in YAML text."""
    out: list[str] = []
    head: int | None = None  # indent of the key whose deeper lines are being taken out
    lines = text.split("\n")
    for line, secret in zip(lines, _in_secrets(lines), strict=True):
        if line.startswith("---") or (head is not None and line.strip() and _indent(line) <= head):
            head = None
        match = (_DATA_HEAD.match(line) if secret else None) or _BLOCK_HEAD.match(line)
        if head is None and match:
            head = _indent(line) if "-" in match[1] else len(match[1])
            out.append(line)
        elif head is not None and line.strip():
            pair = _PAIR.match(line)
            out.append(f"{pair[1]}{MARK}" if pair else " " * _indent(line) + MARK)
        else:
            out.append(line)
    return "\n".join(out)


def redact(text: str) -> str:
    """Text without passwords, tokens, private keys and data of Secrets; the number of lines stays.

    Names of Secrets and their keys (``secretKeyRef``) stay: they say where a password comes from.
    """
    lowered = text.lower()
    if not any(word in lowered for word in _ANY_WORD):
        return text
    if "secret" in lowered and _SECRET_KIND.search(text):
        text = _JSON_DATA.sub(lambda m: _keep_lines(m, m[1] + f'"_": "{MARK}"'), text)
    if "\n" in text and ":" in text:
        text = _redact_blocks(text)
    for words, pattern, replacement in _COMPILED:
        if any(word in lowered for word in words):
            text = pattern.sub(lambda m, r=replacement: _keep_lines(m, m.expand(r)), text)  # type: ignore[misc]
    return text


def is_secret_key(name: str) -> bool:
    """Whether a field, variable or option of this name holds a secret."""
    return len(name) <= 256 and _KEY_WHOLE.fullmatch(name) is not None


def redact_tree(value: Any) -> Any:
    """The same for a parsed JSON or YAML value: plain values below a secret's key, secrets inside any text.

    ``{"name": "DB_PASS_WORD", "value": …}`` (an environment variable) counts as a key with its value.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact_tree(item) for item in value]
    if not isinstance(value, dict):
        return value
    variable = isinstance(value.get("name"), str) and is_secret_key(value["name"])
    out: dict[Any, Any] = {}
    for key, item in value.items():
        plain = isinstance(item, str | int | float) and not isinstance(item, bool)
        hidden = plain and (is_secret_key(str(key)) or (variable and key == "value"))
        out[key] = MARK if hidden else redact_tree(item)
    return out


def redact_expr(expr: pl.Expr) -> pl.Expr:
    """The same for a String column, rule by rule in Rust; columns without a telling word pass untouched."""
    out = expr
    for rule in _RULES:
        out = out.str.replace_all(rule.pattern, rule.replacement.replace("$1", "${1}").replace("${${1}}", "${1}"))
    return pl.when(expr.str.contains(_GUARD)).then(out).otherwise(expr)


# What must stand in a text before any rule can match, as one pattern that is cheap to look for, and the same
# more strictly: most lines with a telling word ("secret bgp-1 was updated") hold no secret.
TELLING = (
    r"(?i)passw|passphrase|token|secret|(?:access|api|private|auth)[_\- ]?key|psk|authorization|bearer|eyj|://"
    r"|akia|asia|aida|aroa|agpa|anpa|gh[pousr]_"
)
# What of it a single token may hold, in the ways these words are written: looked for in every line, so plain texts.
HIDDEN_WORDS = (
    "assw|ASSW|assphrase|ASSPHRASE|oken|OKEN|ecret|ECRET|psk|PSK|_key|_KEY|-key|ssKey|ApiKey|apiKey|ateKey|uthKey|earer"
    "|eyJ|AKIA|ASIA|AIDA|AROA|AGPA|ANPA|ghp_|gho_|ghu_|ghs_|ghr_"
)
_ENDING = r"(?:password|passwd|passphrase|token|secret|key|psk)"
_LIKELY = (
    rf"(?i){_ENDING}\\*[\"']?\s*[:=]|password\s|-----begin|--[\w.\-]*{_ENDING}\s|authorization[\"']?\s*[:=]|bearer\s"
    r"|eyj[a-z0-9_\-]{8}|://[^\s/@]*@|(?:akia|asia|aida|aroa|agpa|anpa)[0-9a-z]{16}|gh[pousr]_[a-z0-9]{20}"
)


def redact_series(texts: pl.Series) -> pl.Series:
    """The same as ``redact_expr``; the rules run on the few texts only that may hold a secret."""
    told = texts.str.contains(TELLING).fill_null(False)
    if not told.any():
        return texts
    places = told.arg_true()
    likely = texts.gather(places).str.contains(_LIKELY)
    places = places.filter(likely)
    if places.is_empty():
        return texts
    name = texts.name
    clean = texts.gather(places).to_frame("text").select(redact_expr(pl.col("text"))).to_series()
    return texts.clone().scatter(places, clean).alias(name)
