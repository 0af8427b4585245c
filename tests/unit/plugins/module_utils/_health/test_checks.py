# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Health checks: what passes, what does not, and how definitions are judged."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._health.checks import run_checks
from ansible_collections.bankops.fleet.plugins.module_utils._health.definitions import validate_checks


def look(check: dict[str, Any], commands: Commands | None = None) -> dict[str, Any]:
    return run_checks([check], commands or Commands())[0]


class SystemctlSays(Commands):
    """systemctl is-active, as systemd 252 answers."""

    def __init__(self, state: str) -> None:
        self.state = state

    def run(self, argv: Any, **_how: Any) -> Completed:
        assert list(argv[:3]) == ["systemctl", "is-active", "--"]
        return Completed(0 if self.state == "active" else 3, self.state + "\n", "")


def test_http_wants_status_200_by_default(server: Any) -> None:
    result = look({"type": "http", "url": server.url + "/"})
    assert result["ok"]
    assert result["name"] == f"http {server.url}/"
    assert result["detail"] == "status 200"
    assert 0 <= result["seconds"] < 5
    failed = look({"type": "http", "url": server.url + "/failure"})
    assert not failed["ok"]
    assert failed["detail"] == "status 503, expected 200"


def test_http_takes_any_of_the_expected_statuses(server: Any) -> None:
    assert look({"type": "http", "url": server.url + "/nowhere", "status": [200, 404]})["ok"]


def test_http_looks_for_a_text(server: Any) -> None:
    assert look({"type": "http", "url": server.url + "/", "contains": "Welcome"})["ok"]
    assert not look({"type": "http", "url": server.url + "/", "contains": "Goodbye"})["ok"]


def test_http_follows_redirects_only_when_asked_and_never_to_another_protocol(server: Any) -> None:
    assert look({"type": "http", "url": server.url + "/moved"})["detail"] == "status 302, expected 200"
    assert look({"type": "http", "url": server.url + "/moved", "follow_redirects": True})["ok"]
    assert not look({"type": "http", "url": server.url + "/elsewhere", "follow_redirects": True})["ok"]
    assert not look({"type": "http", "url": server.url + "/failure", "follow_redirects": True})["ok"]


def test_http_sends_its_headers_but_to_no_other_server(server: Any) -> None:
    other = f"http://localhost:{server.port}/"
    server.routes["/away"] = lambda handler: (
        handler.send_response(302),
        handler.send_header("Location", other),
        handler.send_header("Content-Length", "0"),
        handler.end_headers(),
    )
    check = {"type": "http", "url": server.url + "/away", "headers": {"X-Token": "hidden"}, "follow_redirects": True}
    assert look(check)["ok"]
    assert [request.get("X-Token") or request.get("X-token") for request in server.seen] == ["hidden", None]


def test_http_uses_no_proxy(server: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert look({"type": "http", "url": server.url + "/"})["ok"]


def test_http_does_not_wait_for_a_server_that_drips(server: Any) -> None:
    started = time.monotonic()
    result = look({"type": "http", "url": server.url + "/drip", "timeout": 0.4})
    assert not result["ok"]
    assert time.monotonic() - started < 3


def test_http_fails_where_nobody_listens(server: Any) -> None:
    server.stop()
    assert "refused" in look({"type": "http", "url": server.url + "/"})["detail"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_https_trusts_only_what_it_is_told_to_trust(server: Any, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
    url = f"https://localhost:{server.port}/"
    assert "CERTIFICATE_VERIFY_FAILED" in look({"type": "http", "url": url})["detail"]
    assert look({"type": "http", "url": url, "ca_file": str(certificate)})["ok"]
    wrong_name = {"type": "http", "url": f"https://127.0.0.1:{server.port}/", "ca_file": str(certificate)}
    assert not look(wrong_name)["ok"]


def test_tcp_wants_a_listener(server: Any) -> None:
    assert look({"type": "tcp", "port": server.port})["ok"]
    server.stop()
    result = look({"type": "tcp", "host": "127.0.0.1", "port": server.port})
    assert not result["ok"]
    assert result["name"] == f"tcp 127.0.0.1:{server.port}"


def test_command_passes_with_status_0(tmp_path: Path) -> None:
    assert look({"type": "command", "argv": ["true"]})["ok"]
    failed = look({"type": "command", "argv": ["ls", str(tmp_path / "missing")]})
    assert not failed["ok"]
    assert "missing" in failed["detail"]


def test_command_is_never_read_by_a_shell(tmp_path: Path) -> None:
    result = look({"type": "command", "argv": ["echo", f"$HOME; touch {tmp_path}/made"]})
    assert result["detail"] == f"status 0: $HOME; touch {tmp_path}/made"
    assert list(tmp_path.iterdir()) == []


def test_command_that_is_missing_or_late_or_no_program_does_not_pass() -> None:
    assert "is not on this host" in look({"type": "command", "argv": ["no-such-program"]})["detail"]
    assert "did not end within" in look({"type": "command", "argv": ["sleep", "30"], "timeout": 0.2})["detail"]
    assert "cannot be run" in look({"type": "command", "argv": ["/etc"]})["detail"]


@pytest.mark.parametrize(
    ("state", "ok"), [("active", True), ("activating", False), ("inactive", False), ("failed", False)]
)
def test_unit_must_be_active(state: str, ok: bool) -> None:
    result = look({"type": "unit", "unit": "nginx.service"}, SystemctlSays(state))
    assert result["ok"] is ok
    assert result["detail"] == f"nginx.service is {state}"


def test_checks_run_at_the_same_time_and_keep_their_order() -> None:
    checks = [{"type": "command", "argv": ["sleep", "0.5"], "name": str(number)} for number in range(6)]
    started = time.monotonic()
    results = run_checks(checks, Commands())
    assert [result["name"] for result in results] == ["0", "1", "2", "3", "4", "5"]
    assert time.monotonic() - started < 2.5


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("http", ["must be a dictionary"]),
        ({"type": "ping"}, ["type must be one of http, tcp, command, unit, etcd, not 'ping'"]),
        ({"type": "http"}, ["url is missing"]),
        ({"type": "http", "url": "ftp://host/"}, ["url must be an http:// or https:// address"]),
        ({"type": "http", "url": "http://host:port/"}, ["url must be"]),
        ({"type": "http", "url": "https://user:secret@host/"}, ["url must be"]),
        ({"type": "http", "url": "http://host/", "status": 200}, ["status must be a list of numbers"]),
        ({"type": "http", "url": "http://host/", "headers": {"A": "b\nC: d"}}, ["headers must be"]),
        ({"type": "http", "url": "http://host/", "verify": False}, ["verify is not a key of a check of type http"]),
        ({"type": "tcp", "port": "80"}, ["port must be a number from 1 to 65535, not '80'"]),
        ({"type": "tcp", "port": True}, ["port must be"]),
        ({"type": "command", "argv": "rm -rf /"}, ["argv must be a list of texts"]),
        ({"type": "unit"}, ["unit is missing"]),
        ({"type": "tcp", "port": 80, "timeout": 0}, ["timeout must be seconds above 0"]),
        ({"type": "etcd", "endpoints": []}, ["endpoints must be a list"]),
        ({"type": "etcd", "endpoints": ["http://a:1"], "minimum_healthy": 2}, ["only 1 endpoints are given"]),
        ({"type": "etcd", "endpoints": ["http://a:1"], "key_file": "/k"}, ["cert_file and key_file belong together"]),
    ],
)
def test_a_wrong_definition_is_told_with_its_key_and_what_is_right(check: Any, told: list[str]) -> None:
    problems = validate_checks([check])
    assert len(problems) == len(told)
    for problem, part in zip(problems, told, strict=True):
        assert problem.startswith("Health check 1")
        assert part in problem


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert "secret" not in " ".join(validate_checks([{"type": "http", "url": "https://user:secret@host/"}]))


def test_wrong_definitions_stop_all_checks_before_any_runs(tmp_path: Path) -> None:
    checks: list[dict[str, Any]] = [
        {"type": "command", "argv": ["touch", str(tmp_path / "made")]},
        {"type": "unit", "name": "web"},
    ]
    with pytest.raises(FleetError, match=r"Health check 2 \(web\): unit is missing") as raised:
        run_checks(checks, Commands())
    assert raised.value.kind == "bad_check"
    assert not os.listdir(tmp_path)


def test_two_checks_of_one_name_cannot_be_told_apart() -> None:
    problems = validate_checks([{"type": "tcp", "port": 80}, {"type": "tcp", "port": 80}])
    assert problems == ["Health checks 1 and 2 are both named tcp 127.0.0.1:80; give each its own."]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["type", "name", "url", "port", "argv", "endpoints", "status", "headers", "timeout"]),
        JSON | st.sampled_from(["http", "tcp", "command", "etcd"]),
    )
)
def test_any_definition_is_judged_without_an_accident(check: dict[str, Any]) -> None:
    assert all(isinstance(problem, str) for problem in validate_checks([check]))
