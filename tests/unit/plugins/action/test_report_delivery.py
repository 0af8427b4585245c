# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""bankops.fleet.report_delivery in real runs of ansible-playbook: what cannot be sent is red, and recorded."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import brief_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import read_deliveries
from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._approval.conftest import publish

PASSWORD, VAULT_PASSWORD = "correct-horse-battery", "of the vault"
CYCLE = "2026-11"


class Office:
    """A controller with a plan of tenant alpha, its report, and a password in a vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.book: Book = publish(folder / "state", "alpha")
        self.book.state.put_cycle(CYCLE, [{"tenant": "alpha", "plan": self.book.plan}])
        (folder / "report.html").write_text("<p>report</p>")
        (folder / "vault-password").write_text(VAULT_PASSWORD)
        argv = ["vault", "encrypt_string", "--vault-password-file", "vault-password", PASSWORD, "--name", "password"]
        vaulted = run_ansible(folder, *argv)
        assert vaulted.returncode == 0, vaulted.stderr
        inner = vaulted.stdout.strip().replace("\n", "\n    ")
        (folder / "vault.yml").write_text(f"report_credentials:\n  officers:\n    username: fleet\n    {inner}\n")

    def deliver(
        self, *arguments: str, hosts: str = "localhost", credentials: bool = True, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a task of the module; a port nobody listens on is the mail server's."""
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        officers = {
            "name": "officers",
            "type": "email",
            "tenants": ["alpha"],
            "formats": ["html"],
            "to": ["ann@alpha.example"],
            "sender": "fleet@bankops.example",
            "server": "127.0.0.1",
            "port": port,
        }
        task = {
            "cycle": CYCLE,
            "destinations": [officers],
            "reports": {"alpha": {"html": [str(self.folder / "report.html")]}},
            "briefs": {"alpha": brief_of(document(tenants=1)).as_data()},
            "retries": 1,
            "delay": 0,
            **more,
        }
        (self.folder / "play.json").write_text(
            json.dumps(
                [
                    {
                        "name": "Send",
                        "hosts": hosts,
                        "gather_facts": False,
                        "vars": {"fleet_state_dir": str(self.folder / "state")},
                        "tasks": [{"name": "Send", "bankops.fleet.report_delivery": task}],
                    }
                ]
            )
        )
        vault = ["-e", "@vault.yml", "--vault-password-file", "vault-password"] if credentials else []
        return run_ansible(self.folder, "playbook", "-i", "web1,", "-vvv", "play.json", *vault, *arguments)

    def kept(self) -> list[dict[str, Any]]:
        """What deliveries.json says."""
        return read_deliveries(self.book.state, "alpha", self.book.plan)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(tmp_path_factory.mktemp("office"))


def test_check_mode_says_what_would_be_sent_and_sends_nothing(office: Office) -> None:
    run = office.deliver("--check")
    assert run.returncode == 0, run.stdout
    assert "would be sent: alpha: officers (email) to ann@alpha.example\n" in run.stdout
    assert office.kept() == []


def test_check_mode_says_it_too_before_there_are_reports(office: Office) -> None:
    run = office.deliver("--check", reports={}, briefs={})
    assert run.returncode == 0, run.stdout
    assert "would be sent: alpha to officers (email)\n" in run.stdout


def test_a_server_that_is_down_is_red_and_recorded_and_the_password_of_the_vault_is_nowhere(office: Office) -> None:
    run = office.deliver()
    assert run.returncode != 0
    assert "alpha: officers (email): not delivered to ann@alpha.example (2 tries): ConnectionRefusedError" in run.stdout
    (kept,) = office.kept()
    assert (kept["outcome"], kept["tries"], kept["in_ledger"]) == ("failed", 2, True)
    written = "".join(path.read_text() for path in (office.folder / "state").rglob("*") if path.is_file())
    assert PASSWORD not in run.stdout + run.stderr + written


def test_reports_that_were_not_made_are_a_failure(office: Office) -> None:
    run = office.deliver(reports={}, briefs={})
    assert run.returncode != 0
    assert "alpha: its reports were not made" in run.stdout


def test_looking_says_which_formats_are_wanted_and_who_gets_nothing(office: Office) -> None:
    publish(office.folder / "state", "beta")
    everybody = office.book.state.get_cycle(CYCLE)["plans"]
    beta = {"tenant": "beta", "plan": office.book.state.plans("beta")[0]}
    run = office.deliver(part="look", plans=[*everybody, beta])
    assert run.returncode == 0, run.stdout
    assert "beta: no destination takes its reports\n" in run.stdout
    assert '"formats": [\n        "html"\n    ]' in run.stdout


def test_a_task_that_would_run_on_a_host_is_refused_before_anything_leaves(office: Office) -> None:
    run = office.deliver(hosts="web1")
    assert run.returncode != 0
    assert (
        "Reports are sent by the controller, and this task is for a host. Write delegate_to: localhost." in run.stdout
    )
