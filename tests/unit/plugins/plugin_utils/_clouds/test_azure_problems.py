# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever Azure or the way there does: either all machines are read, or it is said why not, and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azure.mgmt.compute")

from azure.core.pipeline.transport import RequestsTransport

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import ATTEMPTS
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.answers import challenged, expired
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.faults import (
    ADDRESSES,
    INTERFACES,
    MACHINES,
    SCALE_SETS,
    STATUSES,
    Spoil,
    answers,
    changed,
    cut,
    fault,
    instead,
    late,
    says,
    throttled,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.azure_sources import (
    Cloud,
    cloud_of_our_own,
    pool,
    published,
)

LIST, PERMISSIONS = "virtual_machines_list_all", "permissions_list"
READ = "Microsoft.Compute/virtualMachines/read"
GONE = f"https://127.0.0.1:9/subscriptions?{'x' * 20}"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Three machines on pages of two, and an instance of a scale set."""
    with cloud_of_our_own(tmp_path, monkeypatch) as found:
        found.azure.page = 2
        found.azure.subscriptions[0].machines = [published(number) for number in (1, 2, 3)]
        found.azure.subscriptions[0].scale_sets = [pool("web", 1)]
        yield found


@pytest.mark.parametrize("part", [MACHINES, "skiptoken=2"])
@pytest.mark.parametrize(
    "spoil",
    [
        throttled(),
        throttled("0"),
        answers(500, "InternalExecutionError", "An internal execution error occurred."),
        answers(502, "ProviderError", "Resource provider 'Microsoft.Compute' failed to return collection response."),
        answers(503),
        answers(504, "GatewayTimeout", "The gateway did not receive a response."),
        answers(408),
        cut,
        instead(expired),
        instead(challenged),
    ],
    ids=["429", "429 at once", "500", "502", "503", "504", "408", "cut", "expired", "challenged"],
)
def test_what_passes_is_asked_for_again(cloud: Cloud, part: str, spoil: Spoil) -> None:
    fault(cloud.azure, part, spoil)
    assert [machine.name for machine in cloud.read()] == ["vm1", "vm2", "vm3", "web_0"]


@pytest.mark.parametrize("part", [STATUSES, INTERFACES, ADDRESSES, SCALE_SETS, "/virtualMachineScaleSets/web/"])
def test_every_listing_is_asked_for_again(cloud: Cloud, part: str) -> None:
    fault(cloud.azure, part, answers(503), times=2)
    machines = cloud.read()
    assert [machine.name for machine in machines] == ["vm1", "vm2", "vm3", "web_0"]
    assert all(machine.private_ip and machine.power == "running" for machine in machines)


def test_it_waits_as_long_as_azure_wants(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, throttled("1"))
    began = time.monotonic()
    assert len(cloud.read()) == 4
    assert time.monotonic() - began >= 1


def test_it_does_not_wait_beyond_its_time(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, throttled("3600"))
    problem = cloud.refused()
    assert problem.kind == "throttled"
    assert cloud.azure.operations == {PERMISSIONS: 1, LIST: 1}
    assert "OperationNotAllowed: The server rejected the request because too many requests" in problem.message


def test_it_gives_up_what_does_not_pass(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, answers(503), times=100)
    problem = cloud.refused()
    assert (problem.kind, problem.call) == ("api_error", READ)
    assert problem.message == f"source production, {cloud.azure.subscriptions[0].id}: {READ}: status 503"
    assert cloud.azure.operations == {PERMISSIONS: 1, LIST: ATTEMPTS}


def test_a_token_is_renewed_once(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, instead(expired), times=100)
    problem = cloud.refused()
    assert problem.kind == "credentials_refused"
    assert "ExpiredAuthenticationToken" in problem.message
    assert (cloud.azure.operations[LIST], cloud.azure.issued["secret"]) == (2, 2)


def test_a_challenge_is_answered_with_its_claims(cloud: Cloud) -> None:
    fault(cloud.azure, INTERFACES, instead(challenged))
    assert len(cloud.read()) == 4
    assert cloud.azure.issued == {"secret": 1, "secret with claims": 1}


def test_tokens_that_were_taken_back_are_renewed(cloud: Cloud) -> None:
    fault(cloud.azure, INTERFACES, changed(lambda _body: cloud.azure.revoke()))
    assert len(cloud.read()) == 4
    assert cloud.azure.issued == {"secret": 2}


def test_a_token_is_renewed_before_it_ends(cloud: Cloud) -> None:
    cloud.azure.lifetime = 200
    assert len(cloud.read()) == 4
    assert cloud.azure.issued["secret"] > 1


@pytest.mark.parametrize(
    ("status", "code", "words", "kind", "remedy"),
    [
        (404, "SubscriptionNotFound", "The subscription could not be found.", "not_found", "az account list"),
        (400, "InvalidSubscriptionId", "The provided subscription identifier is malformed.", "not_found", "Compare"),
        (401, "InvalidAuthenticationTokenTenant", "Wrong issuer.", "credentials_refused", "tenant"),
        (401, "InvalidAuthenticationTokenAudience", "Wrong audience.", "credentials_refused", "audience"),
        (403, "AuthorizationFailed", "The client does not have authorization.", "access_denied", READ),
        (403, "RequestDisallowedByPolicy", "Not from here.", "access_denied", "az account show"),
        (404, "InvalidResourceType", "The resource type could not be found.", "api_error", "version of the API"),
        (404, "ResourceNotFound", "The Resource was not found.", "not_found", "run it again"),
        (418, "Teapot", "", "api_error", "documentation"),
    ],
)
def test_a_refusal_says_what_to_do(cloud: Cloud, status: int, code: str, words: str, kind: str, remedy: str) -> None:
    fault(cloud.azure, MACHINES, answers(status, code, words), times=2)
    problem = cloud.refused()
    assert (problem.kind, problem.call) == (kind, READ)
    assert f"{code}: {words}".rstrip(".: ") in problem.message
    assert remedy in problem.remedy


def test_an_unknown_subscription_is_named(cloud: Cloud) -> None:
    missing = "00000000-1111-2222-3333-444444444444"
    problem = cloud.refused(subscriptions=[missing])
    assert (problem.kind, problem.scope.account) == ("not_found", missing)
    assert missing in problem.remedy


def test_who_sees_no_subscription_has_no_empty_population(cloud: Cloud) -> None:
    cloud.azure.subscriptions[0].state = "Deleted"
    assert cloud.refused(subscriptions="all").kind == "not_found"


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (says(b'{"value": [{"id": "/subscr'), "answer_malformed", "no JSON"),
        (says(b"<html>Log in</html>"), "answer_malformed", "no JSON"),
        (says(b"{}"), "answer_malformed", "no page"),
        (says(b'{"value": {}}'), "answer_malformed", "no page"),
        (says(b'{"value": [1]}'), "answer_malformed", "no page"),
        (says(b"[]"), "answer_malformed", "no page"),
        (says(b'{"value": [{}]}'), "answer_malformed", "an entry is not as the API documents it ('properties' is"),
        (says(b'{"value": [{"id": "/vm/x", "properties": 7}]}'), "answer_malformed", "/vm/x is not as"),
        (says(b'{"value": [{"id": "/vm/y", "name": 3, "properties": {}}]}'), "answer_malformed", "/vm/y is not as"),
        (says(b'{"value": [], "nextLink": 7}'), "answer_malformed", "no text"),
        (answers(302, "Moved", Location=GONE), "api_error", "sent elsewhere"),
    ],
)
def test_a_malformed_answer_is_no_answer(cloud: Cloud, spoil: Spoil, kind: str, words: str) -> None:
    fault(cloud.azure, MACHINES, spoil)
    problem = cloud.refused()
    assert problem.kind == kind
    assert words in problem.message


def test_a_machine_without_an_identity_is_named(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, changed(lambda body: body["value"][1]["properties"].pop("vmId")))
    problem = cloud.refused()
    assert problem.kind == "answer_malformed"
    assert "/virtualMachines/vm2 is not as the API documents it ('vmId' is missing)" in problem.message


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/subscriptions",
        "http://127.0.0.1:{port}/subscriptions",
        "https://127.0.0.1:{other}/subscriptions",
        "https://evil.example\\@127.0.0.1:{port}/subscriptions",
        "https://127.0.0.1:{port}@evil.example/subscriptions",
        "https://evil.example:x/",
        "/subscriptions/relative",
    ],
)
def test_a_link_elsewhere_is_not_followed(cloud: Cloud, link: str) -> None:
    port = int(cloud.url.rpartition(":")[2])
    to = link.format(port=port, other=port + 1)
    fault(cloud.azure, MACHINES, changed(lambda body: body.update(nextLink=to)))
    problem = cloud.refused()
    assert problem.kind == "answer_malformed"
    assert "leads elsewhere" in problem.message
    assert cloud.azure.operations == {PERMISSIONS: 1, LIST: 1}


def test_a_link_back_ends(cloud: Cloud) -> None:
    def back(body: dict[str, Any]) -> None:
        body["nextLink"] = back.link = getattr(back, "link", body.get("nextLink"))  # type: ignore[attr-defined]

    fault(cloud.azure, MACHINES, changed(back), times=5)
    assert "lead back" in cloud.refused().message


def test_a_page_that_fails_spoils_the_subscription(cloud: Cloud) -> None:
    fault(cloud.azure, "skiptoken=2", answers(403, "AuthorizationFailed", "no longer"), times=1)
    assert cloud.refused().kind == "access_denied"


def test_a_provider_is_not_taken_away_in_the_middle(cloud: Cloud) -> None:
    fault(cloud.azure, "skiptoken=2", answers(409, "MissingSubscriptionRegistration", "Not registered."))
    assert cloud.refused().kind == "api_error"


def test_one_that_is_silent_is_not_waited_for(cloud: Cloud) -> None:
    fault(cloud.azure, STATUSES, late(5), times=5)
    began = time.monotonic()
    problem = cloud.refused(seconds=0.8)
    assert time.monotonic() - began < 3
    assert (problem.kind, problem.call) == ("timed_out", READ)
    assert "timeout" in problem.remedy


def test_the_time_is_up_between_pages(cloud: Cloud) -> None:
    fault(cloud.azure, MACHINES, late(0.3), times=5)
    problem = cloud.refused(seconds=0.35)
    assert problem.kind == "timed_out"


def test_nothing_is_asked_when_the_time_is_up(cloud: Cloud) -> None:
    assert cloud.refused(seconds=0).kind == "timed_out"
    assert cloud.azure.operations == {}


def test_nobody_there(cloud: Cloud) -> None:
    cloud.read()
    problem = cloud.refused(endpoint="https://127.0.0.1:9")
    assert problem.kind == "unreachable"
    assert "Connection refused" in problem.message
    assert "HTTPS_PROXY" in problem.remedy


def test_a_name_that_is_none(cloud: Cloud) -> None:
    problem = cloud.refused(endpoint="https://management.invalid")
    assert problem.kind == "unreachable"


def test_a_proxy_that_is_not_there(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    problem = cloud.refused(endpoint="https://localhost:9")
    assert problem.kind == "unreachable"
    assert "proxy" in problem.message
    assert "hunter2" not in problem.message
    assert "HTTPS_PROXY" in problem.remedy


def test_a_certificate_of_nobody(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = cloud.source()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(make_authority(tmp_path, "other").ca_file))
    problem = cloud.refused()
    assert (problem.kind, problem.call) == ("certificate_bad", "the token of Azure")
    assert "REQUESTS_CA_BUNDLE" in problem.remedy
    assert source.name == "production"


def test_a_certificate_of_nobody_at_the_resource_manager(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(cloud.azure, "/oauth2/", changed(lambda _body: monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))))
    other = make_authority(tmp_path, "other").ca_file
    sent: list[str] = []
    send = RequestsTransport.send

    def counted(self: RequestsTransport, request: Any, **options: Any) -> Any:
        sent.append(request.url)
        return send(self, request, **options)

    monkeypatch.setattr(RequestsTransport, "send", counted)
    problem = cloud.refused(endpoint=cloud.url.replace("127.0.0.1", "localhost"))
    assert (problem.kind, problem.call) == ("certificate_bad", "Microsoft.Authorization/permissions/read")
    # What is not trusted once is not trusted later.
    assert len([url for url in sent if "localhost" in url]) == 1


def test_a_file_of_certificates_that_is_not_there(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "/nonexistent/ca.pem"
    fault(cloud.azure, "/oauth2/", changed(lambda _body: monkeypatch.setenv("REQUESTS_CA_BUNDLE", missing)))
    problem = cloud.refused(endpoint=cloud.url.replace("127.0.0.1", "localhost"))
    assert problem.kind == "certificate_bad"
    assert missing in problem.message
