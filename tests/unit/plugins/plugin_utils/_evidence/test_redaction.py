# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets do not survive redaction, and what is no secret does."""

from __future__ import annotations

import base64
import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence import redaction
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import (
    LONGEST_TEXT,
    MARK,
    collect_secrets,
    is_secret_key,
    redact,
)

SECRET_KEYS = [
    "password",
    "db_password",
    "PASSWORD",
    "Password1",
    "passwd",
    "ansible_become_pass",
    "ansible_ssh_pass",
    "ansible_password",
    "token",
    "api_token",
    "apiKey",
    "api_key",
    "API-KEY",
    "x-api-key",
    "apikey",
    "clientSecret",
    "client_secret",
    "private_key",
    "privateKeyPem",
    "access_key",
    "aws_secret_access_key",
    "aws_access_key_id",
    "AWSSecretKey",
    "authorization",
    "Authorization",
    "cookie",
    "Set-Cookie",
    "credentials",
    "secret",
    "secrets",
    "my.secret",
    "passphrase",
    "vault_db",
    "session_id",
    "secret_id",
    "basic_auth",
    "pgpassword",
    "accountKey",
    "tokens",
    "bearer_token",
    "signature",
]
OTHER_KEYS = [
    "secretary",
    "tokens_used",
    "password_file",
    "private_key_path",
    "token_url",
    "password_min_length",
    "secret_name",
    "pass",
    "bypass",
    "compass",
    "passed",
    "key",
    "keyboard",
    "public_key",
    "package",
    "author",
    "monkey",
    "cookie_count",
    "name",
    "version",
    "authorized_hosts",
    "vault",
    "password_expiry",
    "tokenize",
    "assignee",
]


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_key_that_names_a_secret_is_known(key: str) -> None:
    assert is_secret_key(key)
    assert redact({key: "hunter22"}) == {key: MARK}


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_a_key_that_only_looks_like_one_is_left_alone(key: str) -> None:
    assert not is_secret_key(key)
    assert redact({key: "ordinary"}) == {key: "ordinary"}


# Put together here, so that no scanner takes this file for a leak.
PEM = "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEpAIBAAKCAQEAplanted\n-----END RSA PRIVATE KEY-----"
AWS = "AKIA" + "IOSFODNN7PLANTED"
BACKSLASHES = "\\" * 63
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlcGxhbnRlZA"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:hunter22@mirror.test/debian", f"https://{MARK}@mirror.test/debian"),
        ("https://hunter22token@mirror.test/debian", f"https://{MARK}@mirror.test/debian"),
        ("ftp://user:hun/ter22@mirror.test/x", f"ftp://{MARK}@mirror.test/x"),
        ("http://proxy.test:3128/a", "http://proxy.test:3128/a"),
        ("http://proxy.test:3128/a@b", "http://proxy.test:3128/a@b"),
        ("mysql --password=hunter22 -u root", f"mysql --password={MARK} -u root"),
        ("mysql --password hunter22 -u root", f"mysql --password {MARK} -u root"),
        ("login --api-key 'hunter 22' now", f"login --api-key '{MARK}' now"),
        ("PGPASSWORD=hunter22 psql", f"PGPASSWORD={MARK} psql"),
        ("password: hunter22, user: root", f"password: {MARK}, user: root"),
        ('{"token": "hunter22", "user": "root"}', f'{{"token": "{MARK}", "user": "root"}}'),
        ('"{\\"token\\": \\"hunter22\\"}"', f'"{{\\"token\\": \\"{MARK}\\"}}"'),
        ("http://host:80/x?token=hunter22&page=2", f"http://host:80/x?token={MARK}&page=2"),
        ("mysql --verbose --password hunter22", f"mysql --verbose --password {MARK}"),
        ('{"note": "the password: hunter22"}', f'{{"note": "the password: {MARK}"}}'),
        ("GET /x?sig=hunter22&page=2", f"GET /x?sig={MARK}&page=2"),
        ("Authorization: Basic aHVudGVyMjI=", f"Authorization: {MARK}"),
        ("curl -H 'Authorization: Bearer hunter22' x", f"curl -H 'Authorization: {MARK}' x"),
        ("got Bearer hunter22 back", f"got Bearer {MARK} back"),
        ("Set-Cookie: sid=hunter22; Path=/", f"Set-Cookie: {MARK}"),
        (f"before {PEM} after", f"before {MARK} after"),
        (PEM[:60], MARK),
        (f"key {AWS} used", f"key {MARK} used"),
        (f"x {JWT} y", f"x {MARK} y"),
        (f"eyJhbGciOiJIUzI1NiJ9-{JWT}", MARK),
        (f"{'x' * 40}://user:hunter22@mirror.test", f"{'x' * 40}://{MARK}@mirror.test"),
        (f"https://user:{'hunter22/' * 100}@mirror.test", f"https://{MARK}@mirror.test"),
        ("http://proxy.test:80/http://user:hun/ter22@mirror.test", f"http://proxy.test:80/http://{MARK}@mirror.test"),
        (f"token={BACKSLASHES}'hunter22{BACKSLASHES}'", f"token={BACKSLASHES}'{MARK}{BACKSLASHES}'"),
        ("root:$6$saltsalt$hashhashhash:19000", f"root:{MARK}:19000"),
        ("nginx 1.22.1-9+deb12u1 -> 1.22.1-9+deb12u3", "nginx 1.22.1-9+deb12u1 -> 1.22.1-9+deb12u3"),
        ("3 tokens were used; the secretary is away", "3 tokens were used; the secretary is away"),
        ("tcp 0.0.0.0:80: connection refused", "tcp 0.0.0.0:80: connection refused"),
    ],
)
def test_secrets_in_a_text(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(redact(text)) == expected


def test_an_argument_list_loses_the_value_that_follows_its_option() -> None:
    assert redact(["mysql", "--password", "hunter22", "--user", "root"]) == [
        "mysql",
        "--password",
        MARK,
        "--user",
        "root",
    ]


def test_an_environment_written_as_a_list_of_names_and_values() -> None:
    assert redact([{"name": "DB_PASSWORD", "value": "hunter22"}, {"name": "LANG", "value": "C"}]) == [
        {"name": "DB_PASSWORD", "value": MARK},
        {"name": "LANG", "value": "C"},
    ]


def test_below_a_secret_key_every_leaf_is_a_secret() -> None:
    assert redact({"credentials": {"user": "root", "pin": 1234, "set": True, "old": None}}) == {
        "credentials": {"user": MARK, "pin": MARK, "set": True, "old": None}
    }


def test_what_is_no_plain_data_becomes_the_name_of_its_type() -> None:
    class Holder:
        def __str__(self) -> str:
            return "hunter22"

    assert redact({"a": Holder(), "b": (1, 2), "c": {"y", "x"}, "d": b"text", "e": float("nan"), 5: "five"}) == {
        "a": "<Holder>",
        "b": [1, 2],
        "c": ["x", "y"],
        "d": "text",
        "e": "nan",
        "5": "five",
    }


@pytest.mark.parametrize(
    "written",
    [
        'p@ss w/rd"é',
        "p%40ss%20w%2Frd%22%C3%A9",
        "p%40ss+w%2Frd%22%C3%A9",
        base64.b64encode('p@ss w/rd"é'.encode()).decode(),
        json.dumps('p@ss w/rd"é')[1:-1],
        json.dumps('p@ss w/rd"é', ensure_ascii=False)[1:-1],
    ],
)
def test_a_known_secret_is_found_as_it_is_commonly_written(written: str) -> None:
    assert redact(f"<{written}>", ['p@ss w/rd"é']) == f"<{MARK}>"


def test_secrets_are_collected_from_variables_by_their_keys_and_from_vaults() -> None:
    class Vaulted:
        def __str__(self) -> str:
            return "from the vault"

    variables = {
        "db_password": "planted-1",
        "database": {"auth": [{"api_key": "planted-2"}]},
        "motd": Vaulted(),
        "short_password": "abc",
        "template_password": "{{ vault_x }}",
        "user": "root-user",
        "use_password": True,
    }
    assert collect_secrets(variables, lambda value: isinstance(value, Vaulted)) == {
        "planted-1",
        "planted-2",
        "from the vault",
    }


# Each of these once took minutes or hours, or is near to what did.
@pytest.mark.parametrize(
    "piece",
    [
        "a://",
        "a://b:",
        "a://x@",
        "a.a.a.",
        "a:",
        "-eyJaaaaaaaa",
        "PRIVATE KEY",
        "-----BEGIN PRIVATE KEY",
        "-----END ",
        "key=",
        "password=",
        'password="',
        "token=\\'",
        f"token={BACKSLASHES[:31]}'",
        f"token={BACKSLASHES * 1000}'",
        "'",
        '"',
        "\\",
        "bearer ",
        "authorization: ",
        "$1$",
        "--a ",
    ],
)
def test_a_text_that_was_made_to_be_slow_is_not(monkeypatch: pytest.MonkeyPatch, piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    began = process_time()
    redact(text)
    assert process_time() - began < 0.5
    # Nor where nothing is cut off: what takes time in proportion to the text takes a small part of this.
    monkeypatch.setattr(redaction, "LONGEST_TEXT", 300_000)
    began = process_time()
    redact(text[:300_000])
    assert process_time() - began < 2


def test_keys_that_become_the_same_are_numbered_and_many_of_them_take_no_time() -> None:
    began = process_time()
    redacted = redact({f"password={number:06}": number for number in range(20_000)})
    assert process_time() - began < 2
    assert list(redacted)[:3] == [f"password={MARK}", f"password={MARK} (2)", f"password={MARK} (3)"]
    assert len(redacted) == 20_000


def test_of_a_long_text_the_beginning_is_kept_and_what_was_cut_off_is_said() -> None:
    assert redact("x " * (LONGEST_TEXT // 2)) == "x " * (LONGEST_TEXT // 2)
    cut = redact({"msg": "x " * 500_000})["msg"]
    kept, said = cut.split(" ... ")
    assert len(cut) <= LONGEST_TEXT
    assert said == f"({1_000_000 - len(kept)} characters cut off)"
    assert redact(cut) == cut


@pytest.mark.parametrize("place", range(LONGEST_TEXT - 100, LONGEST_TEXT + 10))
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(place: int) -> None:
    text = "." * place + "hunter22hunter22" + "." * LONGEST_TEXT
    assert "hunter" not in redact(text, ["hunter22hunter22"])


SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="[]\r\n"), min_size=6, max_size=30).filter(
    lambda secret: len(secret.strip()) >= 6 and secret not in MARK
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in texts_of(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts_of(inner)]
    return [value] if isinstance(value, str) else []


@st.composite
def planted(draw: st.DrawFn) -> tuple[Any, str]:
    """Plain data in which a secret stands: as a value, inside a text, or as a key, at any depth."""
    secret = draw(SECRETS)
    before, after = draw(st.text(max_size=5)), draw(st.text(max_size=5))
    value: Any = draw(st.sampled_from([secret, before + secret + after, {secret: draw(PLAIN)}, [secret]]))
    for _level in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            value = [*draw(st.lists(PLAIN, max_size=2)), value]
        else:
            value = {**draw(st.dictionaries(st.text(max_size=8), PLAIN, max_size=2)), draw(st.text(max_size=8)): value}
    return value, secret


@given(planted())
def test_a_known_secret_never_survives(case: tuple[Any, str]) -> None:
    value, secret = case
    assert not any(secret in text for text in texts_of(redact(value, [secret])))


@given(st.from_regex(r"[A-Za-z0-9_.+~\-]{0,14}", fullmatch=True))
def test_what_is_too_short_to_be_looked_at_has_no_secret_in_a_longer_text_either(text: str) -> None:
    assert redact(f"; {text}") == f"; {text}"


@given(PLAIN, st.lists(SECRETS, max_size=2))
def test_redaction_is_idempotent(value: Any, secrets: list[str]) -> None:
    once = redact(value, secrets)
    assert redact(once, secrets) == once


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    return [shape(inner) for inner in value] if isinstance(value, list) else None


@given(PLAIN)
def test_redaction_keeps_the_structure_and_gives_plain_data(value: Any) -> None:
    redacted = redact(value)
    assert shape(redacted) == shape(value)
    assert json.loads(json.dumps(redacted)) == redacted
