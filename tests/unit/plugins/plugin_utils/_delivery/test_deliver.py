# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often something is tried, what is given up at once, and what of an answer is kept."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.deliver import Patience, deliver
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import read_destinations
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import Parcel, parcels
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import Delivery

from .parcels_of_alpha import EMAIL, S3, SLACK, TEAMS, WEBHOOK, parcel, reports

OK: Mapping[str, Any] = {"status": 200}
BUSY: Mapping[str, Any] = {"failed": True, "status": 429, "content": "slow down"}
BROKEN: Mapping[str, Any] = {"failed": True, "status": 500, "content": "oops"}


class Service:
    """Answers one after the other, the last one for ever; it remembers what was asked, and how long was waited."""

    def __init__(self, *answers: Mapping[str, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.waits: list[float] = []

    def run(self, module: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
        self.asked.append((module, arguments))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def deliver(self, given: Parcel, retries: int = 2) -> Delivery:
        patience = Patience(retries, 20.0, 30.0)
        return deliver(
            given,
            given.targets,
            run=self.run,
            patience=patience,
            sleep=self.waits.append,
            secrets=given.destination.secrets,
        )


@pytest.mark.parametrize(
    ("answers", "ok", "waits"),
    [
        ([OK], True, []),
        ([BUSY, OK], True, [20.0]),
        ([{**BUSY, "retry_after": "90"}, OK], True, [90.0]),
        ([{**BUSY, "retry_after": "3"}, OK], True, [20.0]),
        ([{**BUSY, "retry_after": "soon"}, OK], True, [20.0]),
        # Nobody waits an hour in the middle of a play.
        ([{**BUSY, "retry_after": "3600"}, OK], False, []),
        ([BROKEN], False, [20.0, 20.0]),
        ([{"failed": True, "status": -1, "msg": "Request failed: connection refused"}], False, [20.0, 20.0]),
        ([{"failed": True, "status": 404, "content": "no_service"}], False, []),
        ([{"failed": True, "status": 302, "content": ""}], False, []),
        ([{"failed": True, "status": -1, "msg": "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"}], False, []),
    ],
)
def test_what_may_pass_is_tried_again_and_nothing_else(
    tmp_path: Path, answers: list[Mapping[str, Any]], ok: bool, waits: list[float]
) -> None:
    service = Service(*answers)
    delivery = service.deliver(parcel(tmp_path, SLACK))
    assert (delivery.ok, service.waits) == (ok, waits)
    assert delivery.tries == len(service.asked) == len(waits) + 1
    assert delivery.reached == (("slack",) if ok else ())


def test_a_webhook_is_asked_with_a_verified_certificate_and_follows_no_redirect(tmp_path: Path) -> None:
    service = Service(OK)
    service.deliver(parcel(tmp_path, TEAMS))
    ((module, arguments),) = service.asked
    assert module == "ansible.builtin.uri"
    assert arguments["validate_certs"] is True
    assert arguments["follow_redirects"] == "none"
    assert arguments["status_code"] == [200, 202]
    # A text, that no module and no version of Ansible reads as something else.
    assert json.loads(arguments["body"])["type"] == "message"


def test_the_reason_is_one_line_without_the_address_of_the_webhook(tmp_path: Path) -> None:
    answer = {
        "failed": True,
        "status": 500,
        "content": f"cannot post {WEBHOOK}\n\x1b[31mto /services/T000/B000/sEcReTpArT",
    }
    delivery = Service(answer).deliver(parcel(tmp_path, SLACK), retries=0)
    (reason,) = delivery.refused.values()
    assert reason.startswith("HTTP 500 cannot post")
    assert reason.isprintable()
    assert "sEcReTpArT" not in json.dumps(delivery.as_data())


def test_only_what_did_not_arrive_is_tried_again(tmp_path: Path) -> None:
    throttled = {"failed": True, "msg": "Failed to upload x: An error occurred (SlowDown) when calling PutObject"}
    forbidden = {"failed": True, "msg": "Failed to upload x: An error occurred (AccessDenied) when calling PutObject"}
    given = parcel(tmp_path, S3)
    service = Service(OK, throttled, forbidden, OK, OK)
    delivery = service.deliver(given)
    html, hosts, changes, cves = given.targets
    assert [arguments["object"] for _module, arguments in service.asked] == [html, hosts, changes, cves, hosts]
    assert delivery.reached == (html, cves, hosts)
    assert delivery.refused == {changes: "An error occurred (AccessDenied) when calling PutObject"}
    assert delivery.as_data()["outcome"] == "failed"


TRACE = "Traceback (most recent call last):\n  File x\nConnectionError: no route"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"msg": "MODULE FAILURE\nSee stdout", "module_stderr": TRACE}, "ConnectionError: no route"),
        ({"msg": "", "exception": TRACE}, "ConnectionError: no route"),
        ({"msg": "Unable to complete PUT operation.", "exception": TRACE}, "Unable to complete PUT operation."),
        ({}, "it failed, and does not say why"),
    ],
)
def test_a_module_that_broke_down_says_why_in_the_last_line_of_its_trace(
    tmp_path: Path, answer: dict[str, Any], why: str
) -> None:
    delivery = Service({"failed": True, **answer}).deliver(parcel(tmp_path, S3, formats=["html"]), retries=0)
    assert list(delivery.refused.values()) == [why]


def test_credentials_go_to_the_store_and_nowhere_else(tmp_path: Path) -> None:
    keys = {"access_key": "AKIAEXAMPLE", "secret_key": "not/in/any/record"}
    (archive,) = read_destinations(
        [{**S3, "kms_key_id": "alias/evidence", "region": "eu-central-1"}], {"archive": keys}, ["alpha"]
    )
    (given,) = parcels(reports(tmp_path), [archive])
    service = Service({"failed": True, "msg": "the key not/in/any/record is not valid"})
    delivery = service.deliver(given, retries=0)
    _module, arguments = service.asked[0]
    assert keys.items() <= arguments.items()
    assert (arguments["encryption_mode"], arguments["encryption_kms_key_id"]) == ("aws:kms", "alias/evidence")
    assert arguments["permission"] == []
    assert "not/in/any/record" not in json.dumps(delivery.as_data())


def test_what_nobody_foresaw_is_a_refusal_that_tells_nothing_but_its_kind(tmp_path: Path) -> None:
    class Broken(Service):
        def run(self, module: str, arguments: dict[str, Any]) -> Mapping[str, Any]:
            raise KeyError("sEcReTpArT")

    service = Broken()
    delivery = service.deliver(parcel(tmp_path, SLACK))
    assert delivery.refused == {"slack": "the delivery broke down unexpectedly (KeyError)"}
    assert (delivery.tries, service.waits) == (1, [])


def test_a_server_whose_name_cannot_be_looked_up_is_given_up_at_once(tmp_path: Path) -> None:
    given = parcel(tmp_path, EMAIL)
    strange = replace(given.destination, own={**given.destination.own, "server": f"mail.{'x' * 64}.example"})
    service = Service(OK)
    delivery = service.deliver(replace(given, destination=strange))
    said = "a name, an address or a credential is not as mail servers are told them"
    assert delivery.refused == dict.fromkeys(given.targets, said)
    assert service.waits == []


def test_a_password_that_cannot_be_sent_stands_in_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Server(smtplib.SMTP):
        """One that greets, and offers what the login of smtplib asks for."""

        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()
            self.ehlo_resp, self.does_esmtp, self.esmtp_features = b"", True, {"auth": " PLAIN"}

        def starttls(self, *_: Any, **__: Any) -> Any:
            return 220, b""

    monkeypatch.setattr(smtplib, "SMTP", Server)
    given = parcel(tmp_path, EMAIL)
    login = {"username": "fleet", "password": "sEcReTpÄrT"}
    delivery = Service(OK).deliver(replace(given, destination=replace(given.destination, credentials=login)))
    assert set(delivery.refused.values()) == {"a name, an address or a credential is not as mail servers are told them"}
    assert "sEcReT" not in json.dumps(delivery.as_data(), ensure_ascii=False)
