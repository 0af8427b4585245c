# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A destination that is unsafe, unclear or misspelt is refused before anything is sent, and no secret is quoted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import (
    is_loopback,
    read_destinations,
)

from .parcels_of_alpha import EMAIL, S3, SLACK, TEAMS, WEBHOOK, destination

ROLE = Path(__file__).parents[5] / "roles/report"


def refused(given: Any, credentials: Any = None) -> str:
    with pytest.raises(FleetError) as caught:
        read_destinations(given, credentials or {}, ["alpha", "beta"])
    assert caught.value.kind == "bad_destination"
    return caught.value.message


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({**EMAIL, "tenants": ["alhpa"]}, "no plan of alhpa was ever made. Known are: alpha, beta."),
        ({**EMAIL, "tenants": []}, "tenants: must be a list of tenants, or the word all"),
        ({**EMAIL, "tenants": "alpha"}, "tenants: must be a list of tenants, or the word all"),
        ({key: EMAIL[key] for key in EMAIL if key != "tenants"}, "tenants: : is missing"),
        ({**EMAIL, "to": ["ann@alpha.example\nBcc: eve@evil.example"]}, "is no address of the form name@domain"),
        ({**EMAIL, "to": ["Ann <ann@alpha.example>"]}, "is no address of the form name@domain"),
        ({**EMAIL, "sender": "fleet@bankops.example\r\nSubject: x"}, "sender: 'fleet@bankops.example"),
        ({**EMAIL, "server": "mail.example -oProxyCommand=x"}, "is no name and no address"),
        ({**EMAIL, "server": "mail..example"}, "server: mail..example is no name and no address"),
        ({**EMAIL, "server": f"{'m' * 64}.example"}, "is no name and no address"),
        ({**EMAIL, "to": ["ann@alpha..example"]}, "is no address of the form name@domain"),
        ({**EMAIL, "sender": f"fleet@{'b' * 64}.example"}, "is no address of the form name@domain"),
        ({**EMAIL, "tls": "none"}, "tls: none is only for a server on this machine; mail.bankops.example is none"),
        (
            {**EMAIL, "tls": "none", "server": "localhost.evil.example"},
            "tls: none is only for a server on this machine",
        ),
        ({**EMAIL, "tls": "sometimes"}, "must be one of starttls, tls, none"),
        ({**EMAIL, "port": 0}, "port: 0 is not from 1 to 65535"),
        ({**EMAIL, "bucket": "evidence"}, "bucket: means nothing to type email"),
        ({**EMAIL, "ca_file": "/nonexistent/ca.pem"}, "ca_file: there is no file"),
        ({**EMAIL, "name": "of/ficers"}, "name: use letters"),
        ({**EMAIL, "password": "hunter22"}, "is not known"),
        ({key: EMAIL[key] for key in EMAIL if key != "to"}, "to: is missing; type email needs it"),
        ({**S3, "endpoint_url": "http://store.example"}, "endpoint_url: must begin with https://"),
        ({**S3, "endpoint_url": "https://user:pw@store.example"}, "endpoint_url: has a user or a password in it"),
        ({**S3, "prefix": "../beta"}, "prefix: '../beta'"),
        ({**S3, "prefix": "reports/../beta"}, "prefix: 'reports/../beta'"),
        ({**S3, "bucket": "Evidence"}, "is no name of a bucket"),
        ({**S3, "formats": []}, "formats: is missing; type s3 needs it"),
        ({**SLACK, "formats": ["pdf"]}, "a message of type slack carries no files"),
        ({**SLACK, "link": "http://reports.example"}, "link: must begin with https://"),
        ({**SLACK, "link": "https://reports.example|<!channel>"}, "link: is no address"),
        ({**SLACK, "when": "sometimes"}, "must be one of always, trouble"),
    ],
)
def test_what_is_unsafe_or_unclear_is_refused(given: dict[str, Any], why: str) -> None:
    needed = {given["name"]: {"url": WEBHOOK}} if given["type"] == "slack" else {}
    assert why.replace("'", "") in refused([given], needed).replace("'", "")


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        ({}, "its report_credentials lack url"),
        ({"operators": {"url": "http://hooks.example/sEcReTpArT"}}, "url: must begin with https://"),
        ({"operators": {"url": "https://bob:sEcReTpArT@hooks.example/"}}, "url: has a user or a password in it"),
        ({"operators": {"url": "sEcReTpArT"}}, "url: is no address"),
        ({"operators": {"url": WEBHOOK, "sEcReTpArT2": "x"}}, "type slack takes url"),
        ({"operators": {"url": ["sEcReTpArT"]}}, "are not all printable ASCII text"),
        ({"operators": {"url": WEBHOOK}, "opreators": {"url": WEBHOOK}}, "opreators is the name of no destination"),
        (["sEcReTpArT"], "must be a mapping"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_and_never_quoted(credentials: Any, why: str) -> None:
    message = refused([SLACK], credentials)
    assert why in message.replace("'", "")
    assert "sEcReTpArT" not in message.replace("sEcReTpArT2", "")


def test_everything_that_is_wrong_is_said_at_once() -> None:
    message = refused([{**EMAIL, "port": 0}, {**EMAIL, "server": "-"}])
    assert message.count("report_destinations[0]") == 2
    assert "report_destinations[1] (officers): server" in message
    assert "there is another of this name" in message


def test_half_of_a_password_is_no_password() -> None:
    assert "its report_credentials lack password" in refused([EMAIL], {"officers": {"username": "fleet"}})


@pytest.mark.parametrize("key", ["username", "password"])
def test_what_no_mail_server_takes_as_a_login_is_refused_and_never_quoted(key: str) -> None:
    message = refused([EMAIL], {"officers": {"username": "fleet", "password": "hunter22", key: "sEcReTpÄrT"}})
    assert "its report_credentials are not all printable ASCII text" in message
    assert "sEcReT" not in message


def test_protection_is_the_default_and_ports_follow_it() -> None:
    assert destination(EMAIL).own["tls"] == "starttls"
    ports = {tls: destination(EMAIL, tls=tls, server="127.0.0.1").own["port"] for tls in ("starttls", "tls", "none")}
    assert ports == {"starttls": 587, "tls": 465, "none": 25}


def test_a_destination_for_all_says_so_and_another_takes_only_what_it_names() -> None:
    assert destination(EMAIL, tenants="all").takes("beta")
    assert destination(EMAIL).takes("alpha")
    assert not destination(EMAIL).takes("beta")


def test_no_text_of_a_destination_holds_its_secrets() -> None:
    made = destination(SLACK)
    assert "sEcReTpArT" not in repr(made)
    assert "/services/T000/B000/sEcReTpArT" in made.secrets


@pytest.mark.parametrize(
    ("host", "is_one"),
    [("localhost", True), ("127.8.0.1", True), ("::1", True), ("10.0.0.1", False), ("127.0.0.1.evil.example", False)],
)
def test_only_this_machine_is_this_machine(host: str, is_one: bool) -> None:
    assert is_loopback(host) is is_one


def test_the_defaults_of_the_role_are_those_of_its_specification() -> None:
    specification = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    expected = {name: option["default"] for name, option in specification.items() if "default" in option}
    assert yaml.safe_load((ROLE / "defaults/main.yml").read_text()) == expected


def test_teams_takes_what_slack_takes() -> None:
    assert destination(TEAMS).kind == "teams"
