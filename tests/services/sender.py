# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller that sends reports of two tenants to the receivers of the tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import brief_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import read_deliveries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.tests.fakes.authority import Authority, make_authority
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.services.receivers import (
    HOST,
    PASSWORD,
    USER,
    Mailbox,
    Store,
    Webhooks,
    mail_server,
    object_store,
    silent_server,
    webhook_server,
)
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._approval.conftest import publish

CYCLE = "2026-11"
TENANTS = ("alpha", "beta")
BUCKET, FORBIDDEN = "evidence", "somebody-elses"
HIDDEN, WRONG = "B000-sEcReTpArT", "battery-staple"
"""Part of the webhooks' addresses, and a password that is not right: both are secret."""


def marker(tenant: str) -> str:
    """A text that stands in every report of a tenant, and must never be where another tenant's reports go."""
    return f"marker-of-{tenant}-7c1e"


@dataclass
class Receivers:
    """Everything that is sent to. Nobody trusts the certificates of ``impostor`` and ``foreign``."""

    trusted: Authority
    mail: Mailbox
    impostor: Mailbox
    without_tls: Mailbox
    silent: int
    webhooks: Webhooks
    foreign: Webhooks
    store: Store
    keys: dict[str, str]


@contextmanager
def all_receivers(folder: Path, policy: dict[str, Any]) -> Iterator[Receivers]:
    """Start them; whoever puts reports into the store may do what ``policy`` says."""
    trusted, unknown = make_authority(folder, "trusted"), make_authority(folder, "unknown")
    with ExitStack() as servers:
        store = servers.enter_context(object_store(trusted))
        yield Receivers(
            trusted=trusted,
            mail=servers.enter_context(mail_server(trusted)),
            impostor=servers.enter_context(mail_server(unknown)),
            without_tls=servers.enter_context(mail_server(None)),
            silent=servers.enter_context(silent_server()),
            webhooks=servers.enter_context(webhook_server(trusted)),
            foreign=servers.enter_context(webhook_server(unknown)),
            store=store,
            keys=store.furnish((BUCKET, FORBIDDEN), policy),
        )


class Sender:
    """A controller with the state of two tenants and a file of variables; ``send`` runs the module in a play."""

    def __init__(self, folder: Path, receivers: Receivers) -> None:
        self.folder = folder
        self.receivers = receivers
        self.books = {tenant: publish(folder / "state", tenant) for tenant in TENANTS}
        plans = [{"tenant": tenant, "plan": book.plan} for tenant, book in self.books.items()]
        self.books["alpha"].state.put_cycle(CYCLE, plans)
        (folder / "vault-password").write_text("of the vault")
        encrypt = ["vault", "encrypt_string", "--vault-password-file", "vault-password", "--name", "vaulted_password"]
        (folder / "vault.yml").write_text(run_ansible(folder, *encrypt, PASSWORD).stdout)
        self.reports: dict[str, Any] = {}
        self.briefs: dict[str, Any] = {}
        for tenant in TENANTS:
            (folder / tenant).mkdir()
            html = folder / tenant / "report.html"
            html.write_text(f"<p>{marker(tenant)}</p>\n")
            said = replace(brief_of(document(tenants=1, hostile=True)), tenants=(tenant,), verdict=marker(tenant))
            self.reports[tenant], self.briefs[tenant] = {"html": [str(html)]}, said.as_data()

    def send(
        self, destinations: list[dict[str, Any]], *arguments: str, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a play that sends; variables come from a file, as a vault's do."""
        named = {destination["name"] for destination in destinations}
        task = {
            "cycle": CYCLE,
            "destinations": "{{ report_destinations }}",
            "reports": "{{ lookup('ansible.builtin.file', 'reports.json') | from_json }}",
            "briefs": "{{ lookup('ansible.builtin.file', 'briefs.json') | from_json }}",
            "retries": 1,
            "delay": 1,
            # Long enough for a handshake on a machine that is busy.
            "timeout": 8,
            **more,
        }
        variables = {
            "fleet_state_dir": str(self.folder / "state"),
            "report_destinations": destinations,
            # As people write it: what is secret is in a vault, and this refers to it.
            "report_credentials": {name: own for name, own in self.credentials().items() if name in named},
        }
        send = {"name": "Send", "bankops.fleet.report_delivery": task}
        play = [{"name": "Send", "hosts": "localhost", "gather_facts": False, "tasks": [send]}]
        for name, content in (
            ("variables.json", variables),
            ("play.json", play),
            ("reports.json", self.reports),
            ("briefs.json", self.briefs),
        ):
            (self.folder / name).write_text(json.dumps(content))
        environment = {"no_proxy": HOST, "ANSIBLE_LOCALHOST_WARNING": "false"}
        vault = ["-e", "@vault.yml", "--vault-password-file", "vault-password"]
        command = ["playbook", "-vvv", "-e", "@variables.json", *vault, "play.json", *arguments]
        return run_ansible(self.folder, *command, environment=environment)

    def email(self, name: str, *to: str, **more: Any) -> dict[str, Any]:
        """A destination of type email, by default one where all goes well."""
        return {
            "name": name,
            "type": "email",
            "tenants": ["alpha"],
            "formats": ["html"],
            "to": list(to),
            "sender": "fleet@bankops.example",
            "server": HOST,
            "port": self.receivers.mail.port,
            "ca_file": str(self.receivers.trusted.ca_file),
            **more,
        }

    def bucket(self, name: str, **more: Any) -> dict[str, Any]:
        """A destination of type s3."""
        return {
            "name": name,
            "type": "s3",
            "tenants": ["alpha"],
            "formats": ["html"],
            "bucket": BUCKET,
            "prefix": "reports",
            "region": "us-east-1",
            "endpoint_url": self.receivers.store.url,
            "ca_file": str(self.receivers.trusted.ca_file),
            **more,
        }

    def webhook(self, name: str, kind: str, **more: Any) -> dict[str, Any]:
        """A destination of type slack or teams; the credentials of its name say where."""
        trust = str(self.receivers.trusted.ca_file)
        return {"name": name, "type": kind, "tenants": ["alpha"], "ca_file": trust, **more}

    def credentials(self) -> dict[str, dict[str, str]]:
        """What a vault would hold."""
        here = f"https://{HOST}:{self.receivers.webhooks.port}"
        login = {"username": USER, "password": "{{ vaulted_password }}"}
        mails = ("officers-alpha", "officers-beta", "half", "greylisted", "down", "silent", "impostor", "without-tls")
        return {
            **dict.fromkeys(mails, login),
            "wrong-password": {**login, "password": WRONG},
            **dict.fromkeys(("archive", "throttled", "forbidden"), self.receivers.keys),
            "slack": {"url": f"{here}/services/T0/{HIDDEN}/slack"},
            "slack-busy": {"url": f"{here}/services/T0/{HIDDEN}/busy"},
            "slack-broken": {"url": f"{here}/services/T0/{HIDDEN}/broken"},
            "slack-elsewhere": {"url": f"{here}/services/T0/{HIDDEN}/elsewhere"},
            "slack-impostor": {"url": f"https://{HOST}:{self.receivers.foreign.port}/services/{HIDDEN}"},
            "teams": {"url": f"{here}/workflows/{HIDDEN}?sig={HIDDEN}"},
        }

    def entries(self, tenant: str) -> list[dict[str, Any]]:
        """What the ledger says of deliveries."""
        book = self.books[tenant]
        entries = read_entries(book.state.entries(tenant, book.plan))
        return [entry["data"]["delivery"] for entry in entries if entry["phase"] == "distribute"]

    def kept(self, tenant: str) -> list[dict[str, Any]]:
        """What deliveries.json says."""
        return read_deliveries(self.books[tenant].state, tenant, self.books[tenant].plan)

    def latest(self, name: str, tenant: str = "alpha") -> dict[str, Any]:
        """The last that the ledger says of a destination."""
        return [entry for entry in self.entries(tenant) if entry["destination"] == name][-1]
