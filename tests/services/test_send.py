# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports that are really sent: by ansible-playbook, to a mail server, an object store and webhooks on loopback.

One run sends to everything at once, the well and the ill; the tests look at what arrived, at what was said and at what
was recorded. A second run follows when some of the faults are gone.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest_of_bytes
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.services.receivers import PASSWORD, USER, free_port
from ansible_collections.bankops.fleet.tests.services.sender import (
    BUCKET,
    FORBIDDEN,
    HIDDEN,
    TENANTS,
    WRONG,
    Receivers,
    Sender,
    all_receivers,
    marker,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_the_way_of_a_plan import PLAN, Controller

ANN, BEN = "ann@alpha.example", "ben@beta.example"
NOBODY, GREYLISTED = "nobody@alpha.example", "greylisted@alpha.example"


def documented_policy() -> dict[str, object]:
    """The policy of S3 that the documentation shows, for the bucket and prefix of its example, which are ours."""
    shown = re.search(r"```json\n(.*?)```", (REPOSITORY / "docs/sending.md").read_text(), re.DOTALL)
    assert shown
    policy: dict[str, object] = json.loads(shown[1])
    return policy


@pytest.fixture(scope="module")
def receivers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receivers]:
    with all_receivers(tmp_path_factory.mktemp("receivers"), documented_policy()) as receivers:
        yield receivers


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory, receivers: Receivers) -> Sender:
    return Sender(tmp_path_factory.mktemp("controller"), receivers)


@pytest.fixture(scope="module")
def first(sender: Sender, receivers: Receivers) -> subprocess.CompletedProcess[str]:
    """One run, to everything."""
    receivers.store.faults["throttled"] = [503]
    return sender.send(
        [
            sender.email("officers-alpha", ANN, when="trouble"),
            sender.email("officers-beta", BEN, tenants=["beta"]),
            sender.email("half", NOBODY, "abe@alpha.example"),
            sender.email("greylisted", GREYLISTED),
            sender.email("down", ANN, port=free_port()),
            sender.email("silent", ANN, port=receivers.silent),
            sender.email("impostor", ANN, port=receivers.impostor.port),
            sender.email("without-tls", ANN, port=receivers.without_tls.port),
            sender.email("wrong-password", ANN),
            sender.bucket("archive", tenants="all"),
            sender.bucket("throttled", prefix="reports/throttled"),
            sender.bucket("forbidden", bucket=FORBIDDEN),
            sender.webhook("slack", "slack", link="https://reports.example/alpha"),
            sender.webhook("slack-busy", "slack"),
            sender.webhook("slack-broken", "slack"),
            sender.webhook("slack-elsewhere", "slack"),
            sender.webhook("slack-impostor", "slack"),
            sender.webhook("teams", "teams", link="https://reports.example/alpha"),
        ]
    )


def test_what_could_arrive_arrived_and_what_could_not_is_red(
    first: subprocess.CompletedProcess[str], sender: Sender
) -> None:
    assert first.returncode != 0
    outcomes = {entry["destination"]: entry["outcome"] for entry in sender.entries("alpha")}
    assert {name for name, outcome in outcomes.items() if outcome == "ok"} == {
        *("officers-alpha", "greylisted", "archive", "throttled", "slack", "slack-busy", "teams")
    }
    assert {name for name, outcome in outcomes.items() if outcome == "failed"} == {
        *("half", "down", "silent", "impostor", "without-tls", "wrong-password"),
        *("forbidden", "slack-broken", "slack-elsewhere", "slack-impostor"),
    }
    assert {entry["destination"] for entry in sender.entries("beta")} == {"officers-beta", "archive"}


@pytest.mark.parametrize(
    ("name", "target", "tries", "why"),
    [
        ("half", NOBODY, 1, "550 5.1.1 <b>no such user</b> here"),
        ("down", ANN, 2, "ConnectionRefusedError: [Errno 111] Connection refused"),
        ("silent", ANN, 2, "timed out"),
        ("impostor", ANN, 1, "the server's certificate does not hold: "),
        ("without-tls", ANN, 1, "the server cannot do what is needed: STARTTLS extension not supported by server."),
        ("wrong-password", ANN, 1, "535 "),
        ("forbidden", "", 1, "An error occurred (AccessDenied) when calling the PutObject operation"),
        ("slack-broken", "slack", 2, "HTTP 500 "),
        ("slack-elsewhere", "slack", 1, "HTTP 302"),
        ("slack-impostor", "slack", 1, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_each_failure_is_named_in_the_run_the_ledger_and_the_state(
    first: subprocess.CompletedProcess[str], sender: Sender, name: str, target: str, tries: int, why: str
) -> None:
    said = sender.latest(name)
    ((refused, reason),) = said["refused"].items()
    assert target in refused
    assert why in reason
    assert said["tries"] == tries
    assert f"alpha: {name} ({said['type']}): not delivered to {refused}" in first.stdout
    (kept,) = [entry for entry in sender.kept("alpha") if entry["destination"] == name]
    assert (kept["refused"], kept["in_ledger"]) == (said["refused"], True)


def test_a_mail_arrives_over_tls_with_its_report(
    first: subprocess.CompletedProcess[str], sender: Sender, receivers: Receivers
) -> None:
    (mail,) = receivers.mail.to(ANN)
    assert (mail["From"], mail["To"], mail["Bcc"]) == ("fleet@bankops.example", ANN, None)
    assert mail["Subject"] == "[alpha] needs attention: Cycle 2026-11 of alpha"
    text, attachment = mail.iter_parts()
    assert marker("alpha") in text.get_content()
    assert attachment.get_filename() == "alpha-2026-11-report.html"
    assert attachment.get_content_type() == "text/html"
    content = attachment.get_content()
    (file,) = sender.latest("officers-alpha")["files"]
    assert digest_of_bytes(content.replace("\r\n", "\n").encode()) == file["sha256"]
    assert receivers.mail.passwords.count(PASSWORD.encode()) > 0


def test_no_password_reaches_a_server_that_does_not_prove_who_it_is(
    first: subprocess.CompletedProcess[str], receivers: Receivers
) -> None:
    assert receivers.impostor.passwords == []
    assert receivers.without_tls.passwords == []
    assert receivers.impostor.mails == receivers.without_tls.mails == []
    assert receivers.foreign.bodies == {}


def test_no_tenant_gets_anything_of_another(first: subprocess.CompletedProcess[str], receivers: Receivers) -> None:
    (beta,) = receivers.mail.to(BEN)
    assert marker("beta") in beta.as_string()
    for recipients, mail in receivers.mail.mails:
        foreign = marker("alpha" if recipients == [BEN] else "beta")
        assert foreign not in mail.as_string()
    assert marker("beta") not in json.dumps(receivers.webhooks.bodies)
    stored = receivers.store.objects(BUCKET)
    for tenant in TENANTS:
        own = {key: content for key, content in stored.items() if f"/{tenant}/" in key}
        assert own
        assert all(marker(tenant).encode() in content for content in own.values())


def test_objects_are_put_with_the_rights_that_the_documentation_names_and_no_more(
    first: subprocess.CompletedProcess[str], sender: Sender, receivers: Receivers
) -> None:
    plan = sender.books["beta"].plan[:16]
    stored = receivers.store.objects(BUCKET)
    assert f"reports/beta/2026-11/{plan}/report.html" in stored
    assert receivers.store.objects(FORBIDDEN) == {}
    assert sender.latest("archive", "beta")["reached"] == [f"reports/beta/2026-11/{plan}/report.html"]


def test_a_message_has_the_shape_that_slack_documents(
    first: subprocess.CompletedProcess[str], receivers: Receivers
) -> None:
    (body,) = receivers.webhooks.bodies[f"/services/T0/{HIDDEN}/slack"]
    assert set(body) == {"text", "blocks"}
    assert {block["type"] for block in body["blocks"]} == {"header", "section"}
    assert marker("alpha") in body["blocks"][1]["text"]["text"]


def test_a_card_has_the_shape_that_microsoft_documents(
    first: subprocess.CompletedProcess[str], receivers: Receivers
) -> None:
    (body,) = receivers.webhooks.bodies[f"/workflows/{HIDDEN}?sig={HIDDEN}"]
    assert body["type"] == "message"
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    assert (attachment["content"]["type"], attachment["content"]["version"]) == ("AdaptiveCard", "1.4")
    assert marker("alpha") in json.dumps(attachment["content"]["body"])


def test_a_busy_service_gets_the_time_it_asks_for(
    first: subprocess.CompletedProcess[str], receivers: Receivers
) -> None:
    before, after = receivers.webhooks.times[f"/services/T0/{HIDDEN}/busy"]
    # It asked for two seconds; the delay of the run is one.
    assert after - before >= 2


def test_no_secret_is_in_what_is_printed_or_recorded(
    first: subprocess.CompletedProcess[str], sender: Sender, receivers: Receivers
) -> None:
    written = "".join(path.read_text() for path in (sender.folder / "state").rglob("*") if path.is_file())
    for text in (first.stdout, first.stderr, written):
        for secret in (PASSWORD, WRONG, HIDDEN, receivers.keys["secret_key"], "X-Amz-Signature"):
            assert secret not in text


def test_the_ledger_still_verifies(first: subprocess.CompletedProcess[str], sender: Sender) -> None:
    for tenant, book in sender.books.items():
        assert verify(book.state.entries(tenant, book.plan)).ok


def test_a_second_run_sends_what_is_left_and_nothing_twice(
    first: subprocess.CompletedProcess[str], sender: Sender, receivers: Receivers
) -> None:
    receivers.mail.nobody_exists = receivers.webhooks.broken = False
    before = len(receivers.mail.mails)
    puts = sum(request.startswith("PUT") for request in receivers.store.asked)
    well = [
        sender.email("officers-alpha", ANN),
        sender.email("half", NOBODY, "abe@alpha.example"),
        sender.bucket("archive", tenants="all"),
        sender.webhook("slack-broken", "slack"),
    ]
    checked = sender.send(well, "--check")
    assert checked.returncode == 0, checked.stdout
    assert f"would be sent: alpha: half (email) to {NOBODY}\n" in checked.stdout
    assert "would be sent: alpha: slack-broken (slack) to slack" in checked.stdout
    assert "officers-alpha" not in "".join(re.findall(r"would be sent.*", checked.stdout))
    assert len(receivers.mail.mails) == before

    second = sender.send(well)
    assert second.returncode == 0, second.stdout
    assert [recipients for recipients, _mail in receivers.mail.mails[before:]] == [[NOBODY]]
    assert sum(request.startswith("PUT") for request in receivers.store.asked) == puts
    assert sender.latest("slack-broken")["outcome"] == "ok"
    assert "sent before: alpha: officers-alpha (email)" in second.stdout


def test_a_destination_that_is_not_safe_stops_everything_before_anything_is_sent(
    sender: Sender, receivers: Receivers
) -> None:
    before = len(receivers.mail.mails)
    run = sender.send([sender.email("officers-alpha", ANN), sender.email("far", ANN, server="192.0.2.1", tls="none")])
    assert run.returncode != 0
    assert "tls: none is only for a server on this machine" in run.stdout
    assert len(receivers.mail.mails) == before


def test_a_tenant_whose_reports_are_those_of_another_keeps_nobody_from_theirs(
    tmp_path: Path, receivers: Receivers
) -> None:
    sender = Sender(tmp_path, receivers)
    sender.briefs["alpha"] = sender.briefs["beta"]
    before = len(receivers.mail.mails)
    run = sender.send([sender.email("everybody", BEN, tenants="all")])
    assert run.returncode != 0
    assert "alpha: The reports for tenant alpha speak of beta." in run.stdout
    ((_recipients, mail),) = receivers.mail.mails[before:]
    assert marker("beta") in mail.as_string()


def test_the_playbook_makes_the_reports_of_two_tenants_and_sends_each_its_own(
    tmp_path: Path, receivers: Receivers
) -> None:
    controller = Controller(tmp_path)
    inventory = json.loads((tmp_path / "inventory.json").read_text())
    inventory["all"]["children"]["fleet"]["hosts"]["web3"]["fleet_tenant"] = "beta"
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    planned = controller.run(PLAN)
    assert planned.returncode == 0, planned.stdout
    login = {"username": USER, "password": PASSWORD}
    mails = {tenant: f"board@{tenant}.example" for tenant in TENANTS}
    destination = {
        "type": "email",
        "formats": ["html", "csv", "json"],
        "sender": "fleet@bankops.example",
        "server": "localhost",
        "port": receivers.mail.port,
        "ca_file": str(receivers.trusted.ca_file),
    }
    variables = {
        "patch_cycle": "2026-11",
        "report_destinations": [
            {**destination, "name": tenant, "tenants": [tenant], "to": [to]} for tenant, to in mails.items()
        ],
        "report_credentials": dict.fromkeys(TENANTS, login),
    }
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    send = (str(REPOSITORY / "playbooks/report_send.yml"), "-e", "@variables.json")
    checked = controller.playbook(*send, "--check")
    assert checked.returncode == 0, checked.stdout
    assert "would be sent: beta to beta (email)\n" in checked.stdout
    assert [receivers.mail.to(to) for to in mails.values()] == [[], []]

    run = controller.playbook(*send)
    assert run.returncode == 0, run.stdout
    hosts = {"alpha": {"web1", "web2"}, "beta": {"web3"}}
    for tenant, to in mails.items():
        (mail,) = receivers.mail.to(to)
        _text, *attachments = mail.iter_parts()
        reports = {part.get_filename(): cast("bytes", part.get_payload(decode=True)).decode() for part in attachments}
        assert f"{tenant}-2026-11-report.html" in reports
        for content in reports.values():
            assert not any(host in content for other in hosts.keys() - {tenant} for host in hosts[other])
        assert set(re.findall("web[0-9]", reports[f"{tenant}-2026-11-csv-hosts.csv"])) == hosts[tenant]
