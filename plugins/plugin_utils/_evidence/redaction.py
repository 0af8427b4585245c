# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes secrets out of data before it is written. What it cannot know is said in docs/evidence.md."""

from __future__ import annotations

import base64
import json
import math
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
"""What stands where a secret was."""

SHORTEST_SECRET = 6
"""Shorter values are not looked for in other texts: they would be found everywhere."""

LONGEST_TEXT = 8_000
"""Characters of a text that are kept. What a host says has no end of its own."""

_ROOM_FOR_A_NOTE = 50

# Words of a key that make its value a secret, alone or one after the other.
_SECRET_WORDS = re.compile(
    r"(?:^| )(?:"
    r"passwords?|passwds?|passphrases?|passcodes?|pwds?|secrets?|tokens?|credentials?|creds|cookies?|authorization|bearer|"
    r"apikeys?|authtokens?|accesstokens?|accesskeys?|privatekeys?|secretkeys?|clientsecrets?|sshpass|pgpassword|"
    r"(?:api|private|access|secret|signing|encryption|account|shared|master|license|storage|auth) keys?|"
    r"basic auth|[a-z0-9]+ pass|session ids?|signature|sig"
    r")(?= |$)"
    # The custom of naming variables that are kept in a vault.
    r"|^vault [a-z]"
)
# Last words of a key that says something about a secret, and is none: password_file, token_url, tokens_used.
_ABOUT_A_SECRET = frozenset(
    {
        "file",
        "files",
        "path",
        "paths",
        "dir",
        "directory",
        "name",
        "names",
        "url",
        "uri",
        "endpoint",
        "type",
        "kind",
        "id",
        "ids",
        "policy",
        "age",
        "days",
        "length",
        "count",
        "used",
        "expiry",
        "expires",
        "expired",
        "expiration",
        "created",
        "updated",
        "ttl",
        "lifetime",
        "required",
        "enabled",
        "method",
        "version",
        "algorithm",
        "status",
        "min",
        "max",
        "limit",
        "store",
        "backend",
        "engine",
        "manager",
        "attempts",
        "retries",
        "prompt",
        "field",
        "fields",
    }
)
_NEVER_ABOUT = re.compile(r"(?:^| )(?:session ids?|access key ids?|secret ids?)$")

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")

# Hosts choose these texts, so each pattern takes time in proportion to the text: it begins at no two places of one run
# of characters, or takes the whole run also where it finds nothing (*+ gives nothing back).
_KEY = r"(?P<key>[A-Za-z][A-Za-z0-9_.\-]*)"
# Quoted, quoted in quoted JSON (the closing quote has as many backslashes; of very many nobody looks for it), or bare.
_VALUE = re.compile(
    r"(?P<value>\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?|"
    r"(?P<quote>\\{1,31}[\"'])(?:.*?(?<!\\)(?P=quote)|.*)|\\+[\"'].*|[^\s,;&\"'\\)}\]]+)",
    re.DOTALL,
)

# `password=`, `"token": `, `--password=`, `?sig=`, also inside quoted JSON. What follows is matched only after the key
# of a secret, for it may hold further keys: `url: http://host/?token=x`, `--verbose --password x`.
_ASSIGNED = re.compile(rf"(?<![A-Za-z0-9_.\-])-{{0,2}}{_KEY}\\*[\"']?\s*(?:=>|[:=])\s*")
_LONG_OPTION = re.compile(rf"(?<!\S)--{_KEY}\s+")

_WHOLE = [
    # A private key, also one cut off before its end.
    re.compile(
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z0-9 ]{0,40}-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL
    ),
    re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_\-]{16,})"),
    re.compile(
        r"\b(?:xox[abprse]-[A-Za-z0-9\-]{10,}|hv[sbr]\.[A-Za-z0-9_\-]{20,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,})"
    ),
    re.compile(r"\bAIza[A-Za-z0-9_\-]{35}"),
    # crypt(3): the hash of a password can be tried offline.
    re.compile(r"\$(?:1|2[abxy]?|5|6|7|y|gy|sha1)\$[^\s:$\"']*\$[^\s:\"']+"),
]
_AFTER = [
    # The user-info of a URL; a name alone may be a token.
    re.compile(r"(?P<before>[A-Za-z0-9+.\-]://)[^\s/?#\"'<>]+(?=@)"),
    re.compile(r"(?P<before>\b(?:proxy-)?authorization\b\\*[\"']?\s*[:=]\s*\\*[\"']?)[^\r\n\"'\\]+", re.IGNORECASE),
    re.compile(r"(?P<before>\b(?:set-)?cookie\b\\*[\"']?\s*:\s*\\*[\"']?)[^\r\n\"'\\]+", re.IGNORECASE),
    re.compile(r"(?P<before>\bbearer\s+)[^\s\"'\\,;]{6,}", re.IGNORECASE),
]
# Secrets only where the group "end" is found.
_UP_TO = [
    # The user-info of a URL where the password has a slash in it.
    re.compile(r"(?P<before>[A-Za-z0-9+.\-]://)[^\s/@:\"'<>]*+:(?!\d+(?:[/?#\s]|$))[^\s@\"'<>]*+(?P<end>(?=@))?"),
    # A JSON web token.
    re.compile(r"(?P<before>\b)eyJ[A-Za-z0-9_\-]{8,}+(?P<end>\.[A-Za-z0-9_\-]{8,}+(?:\.[A-Za-z0-9_\-]*+)?)?"),
]

# Most texts are names and versions. None of the patterns can match what is that short and has none of their signs.
_PLAIN = re.compile(r"[A-Za-z0-9_.+~\-]{0,14}")


@lru_cache(maxsize=1024)
def is_secret_key(key: str) -> bool:
    """Whether a key says by its words that its value is a secret: ``db_password`` and ``apiKey``, not ``secretary``."""
    words = [word.lower() for word in _WORDS.findall(key) if not word.isdigit()]
    phrase = " ".join(words)
    if not _SECRET_WORDS.search(phrase):
        return False
    return words[-1] not in _ABOUT_A_SECRET or bool(_NEVER_ABOUT.search(phrase))


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """``value`` as plain data, with every secret replaced by ``[redacted]`` and its structure kept.

    Of a text of more than ``LONGEST_TEXT`` characters the beginning is kept, and how many were cut off is said.
    ``secrets`` are known secret values, removed wherever they stand. What is not plain data becomes the name of its
    type: its text may hold anything. Redacting twice changes nothing more.
    """
    return _Redaction(_known_values(secrets)).clean(value)


def collect_secrets(
    variables: Mapping[str, Any], is_vaulted: Callable[[Any], bool] = lambda _value: False
) -> frozenset[str]:
    """The values of variables whose keys, at any depth, name a secret, and those that came out of a vault.

    Templates are left out: they name a secret and are none. So are values shorter than ``SHORTEST_SECRET``.
    """
    found: set[str] = set()
    _collect(variables, found, is_vaulted, below_secret=False)
    return frozenset(found)


def _collect(value: Any, found: set[str], is_vaulted: Callable[[Any], bool], below_secret: bool) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _collect(inner, found, is_vaulted, below_secret or is_secret_key(str(key)))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            _collect(inner, found, is_vaulted, below_secret)
    elif below_secret or is_vaulted(value):
        # bool is an int; neither it nor null says anything.
        text = "" if value is None or isinstance(value, bool) else str(value)
        if len(text) >= SHORTEST_SECRET and "{{" not in text:
            found.add(text)


def _known_values(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for the secrets as they are and as commands, URLs and JSON write them; the longest first."""
    forms: set[str] = set()
    for secret in secrets:
        encoded = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode()
        raw = secret.encode("utf-8", "surrogateescape")
        forms |= {
            secret,
            secret.strip(),
            quote(raw, safe=""),
            quote_plus(raw),
            quote(raw),
            encoded,
            shlex.quote(secret)[1:-1],
        }
        forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
        # A value of several lines is often quoted line by line.
        forms |= {line.strip() for line in secret.splitlines() if len(line.strip()) >= 2 * SHORTEST_SECRET}
    usable = sorted(
        (form for form in forms if len(form) >= SHORTEST_SECRET and form not in MARK), key=len, reverse=True
    )
    return re.compile("|".join(map(re.escape, usable))) if usable else None


class _Redaction:
    """One pass over a value."""

    def __init__(self, known: re.Pattern[str] | None) -> None:
        self._known = known

    def clean(self, value: Any, *, secret: bool = False) -> Any:
        """``value`` redacted; with ``secret`` every leaf of it is one."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (str, bytes, int, float)):
            return self._clean_scalar(value, secret)
        if isinstance(value, Mapping):
            return self._clean_mapping(value, secret)
        if isinstance(value, (list, tuple)):
            return self._clean_list(list(value), secret)
        if isinstance(value, (set, frozenset)):
            return self._clean_list(sorted(value, key=str), secret)
        return f"<{type(value).__name__}>"

    def _clean_scalar(self, value: str | bytes | float, secret: bool) -> Any:
        if secret:
            return MARK
        if isinstance(value, bytes):
            return self._clean_text(value.decode("utf-8", "replace"))
        if isinstance(value, str):
            return self._clean_text(str(value))
        if self._known and self._known.search(str(value)):
            return MARK
        # JSON has no word for these.
        return value if math.isfinite(value) else str(value)

    def _clean_mapping(self, value: Mapping[Any, Any], secret: bool) -> dict[str, Any]:
        # [{"name": "DB_PASSWORD", "value": "…"}], as environments and headers are often written
        named = value.get("name", value.get("key"))
        value_is_secret = isinstance(named, str) and is_secret_key(named)
        cleaned: dict[str, Any] = {}
        same: Counter[str] = Counter()
        for key, inner in value.items():
            name = text = self._clean_text(str(key))
            while name in cleaned:
                same[text] += 1
                name = f"{text} ({same[text] + 1})"
            inner_secret = secret or is_secret_key(str(key)) or (value_is_secret and key == "value")
            cleaned[name] = self.clean(inner, secret=inner_secret)
        return cleaned

    def _clean_list(self, value: list[Any], secret: bool) -> list[Any]:
        cleaned = []
        awaited = False
        for inner in value:
            cleaned.append(self.clean(inner, secret=secret or awaited))
            # ["--password", "…"]: the value is the next argument
            awaited = isinstance(inner, str) and inner.startswith("--") and "=" not in inner and is_secret_key(inner)
        return cleaned

    def _clean_text(self, text: str) -> str:
        # Twice what is kept is looked at, so that no secret is cut in two where the kept part ends.
        looked_at = text[: 2 * LONGEST_TEXT]
        cleaned = self._without_secrets(looked_at)
        return _shortened(cleaned, len(text) - len(looked_at))

    def _without_secrets(self, text: str) -> str:
        # JSON and UTF-8 have no lone surrogates, which undecodable file names become.
        text = text.encode("utf-8", "backslashreplace").decode()
        if self._known:
            text = self._known.sub(MARK, text)
        if _PLAIN.fullmatch(text):
            return text
        for pattern in _WHOLE:
            text = pattern.sub(MARK, text)
        for pattern in _UP_TO:
            text = pattern.sub(lambda found: found[0] if found["end"] is None else found["before"] + MARK, text)
        for pattern in _AFTER:
            text = pattern.sub(lambda found: found["before"] + MARK, text)
        return _without_values(_ASSIGNED, _without_values(_LONG_OPTION, text))


def _shortened(text: str, cut: int) -> str:
    """The beginning of a text from whose end ``cut`` characters are missing already."""
    if not cut and len(text) <= LONGEST_TEXT:
        return text
    # With the note it is no longer than what is kept, so that it stays as it is when it is redacted again.
    kept = text[: LONGEST_TEXT - _ROOM_FOR_A_NOTE]
    return f"{kept} ... ({len(text) - len(kept) + cut} characters cut off)"


def _without_values(before: re.Pattern[str], text: str) -> str:
    """The text without the values that stand behind the keys of secrets."""
    parts, position, copied = [], 0, 0
    while found := before.search(text, position):
        position = found.end()
        value = _VALUE.match(text, position) if is_secret_key(found["key"]) else None
        if value:
            parts += [text[copied:position], _marked(value["value"])]
            position = copied = value.end()
    return "".join([*parts, text[copied:]])


def _marked(value: str) -> str:
    if MARK in value or value.startswith(MARK[:-1]):
        return value
    opening = re.match(r"\\*[\"']", value)
    quotes = opening.group(0) if opening else ""
    closed = quotes if quotes and value.endswith(quotes) and len(value) > len(quotes) else ""
    return quotes + MARK + closed
