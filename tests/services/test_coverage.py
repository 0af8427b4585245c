# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""coverage.yml as people run it: a fleet in three clouds and on premises, and a Falcon that knows most of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import CID, Console
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.faults import DEVICES, answers, fault
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.server import serving
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

AWS = {"fleet_cloud": "aws", "fleet_account": "123456789012"}
AZURE = {"fleet_cloud": "azure", "fleet_account": "9405b466-dc55-4b34-a424-2059ff303a68"}
GOOGLE = {"fleet_cloud": "gcp", "fleet_account": "prod-web"}
BETA = "b" * 32
VM = "4220508a-d2a1-466f-9187-40594db3256b"
HOSTS: dict[str, dict[str, Any]] = {
    # protected
    "web1": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd01", "fleet_tenant": "alpha"},
    "vm1": {**AZURE, "fleet_instance_id": VM, "fleet_tenant": "alpha"},
    # its sensor is silent
    "web2": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd02", "fleet_tenant": "alpha"},
    # no sensor, though one has its name
    "web3": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd03", "fleet_tenant": "alpha"},
    # stopped
    "web4": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd04", "fleet_tenant": "alpha", "fleet_power": "stopped"},
    # installed anew
    "web5": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd05", "fleet_tenant": "alpha"},
    # in a project whose number nobody says
    "gce1": {**GOOGLE, "fleet_instance_id": "5278723726495898635", "fleet_tenant": "beta"},
    # on premises, of which the owner says the sensor
    "core1": {"fleet_tenant": "beta", "fleet_sensor_id": "c0" * 16},
    # nobody's
    "lost1": {**AWS, "fleet_instance_id": "i-0aa11bb22cc33dd09"},
}
ALPHA_PLANNED = {
    "web1": {**AWS, "instance_id": "i-0aa11bb22cc33dd01"},
    # another machine has its name today
    "web2": {**AWS, "instance_id": "i-0ffffffffffffff02"},
}


def aws(instance_id: str) -> dict[str, str]:
    return {
        "service_provider": "AWS_EC2_V2",
        "service_provider_account_id": AWS["fleet_account"],
        "instance_id": instance_id,
    }


def ago(days: float) -> str:
    return f"{datetime.now(timezone.utc) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def console() -> Console:
    """The parent's CID, and one of the tenant beta."""
    console = Console()
    console.client.children = {CID, BETA}
    console.add("a1" * 16, **aws("i-0aa11bb22cc33dd01"), hostname="web1", reduced_functionality_mode="yes")
    console.add("a2" * 16, **aws("i-0aa11bb22cc33dd02"), hostname="web2", last_seen=ago(20))
    console.add("a3" * 16, hostname="web3")
    console.add("a5" * 16, **aws("i-0aa11bb22cc33dd05"), hostname="web5", last_seen=ago(40))
    console.add("a6" * 16, **aws("i-0aa11bb22cc33dd05"), hostname="web5")
    console.add("a7" * 16, **aws("i-0aa11bb22cc33dd77"), hostname="shadow\x1b[2J")
    console.add(
        "a8" * 16,
        service_provider="AZURE",
        service_provider_account_id=AZURE["fleet_account"].upper(),
        instance_id=VM.upper(),
    )
    google = {"service_provider": "GCP", "service_provider_account_id": "578609343865"}
    console.add("b1" * 16, cid=BETA, hostname="gce1", **google, instance_id="5278723726495898635")
    console.add("c0" * 16, cid=BETA, hostname="core1")
    return console


class Site:
    """A folder with an inventory, a state and a playbook that acts on what is found."""

    def __init__(self, folder: Path, url: str, console: Console) -> None:
        self.folder = folder
        self.state = FolderState(folder / "state")
        self.environment = {
            "FALCON_CLIENT_ID": console.client.client_id,
            "FALCON_CLIENT_SECRET": console.client.secret,
            "ANSIBLE_INVENTORY_ENABLED": "bankops.fleet.multicloud,yaml",
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        }
        self.source = {"type": "falcon", "base_url": url, "member_cid": [CID, BETA], "tenants": {BETA: "beta"}}
        self.write({"sources": [{"type": "static", "files": ["hosts.yml"]}, self.source]})
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": HOSTS}}))
        act = {
            "hosts": "coverage_unprotected:coverage_stale",
            "gather_facts": False,
            "tasks": [
                {"ansible.builtin.debug": {"msg": "act on {{ inventory_hostname }}"}},
                {"ansible.builtin.debug": {"msg": "no sensor by the inventory: {{ groups.fleet_unprotected | sort }}"}},
                {"ansible.builtin.debug": {"msg": "web1 has {{ hostvars.web1.fleet_sensor.id }}"}},
            ],
        }
        playbook = [{"import_playbook": "bankops.fleet.coverage"}, act]
        (folder / "act.yml").write_text(yaml.safe_dump(playbook))
        self.plans = {"alpha": self.plan("alpha", ALPHA_PLANNED)}

    def write(self, configuration: dict[str, Any]) -> None:
        """The inventory file."""
        whole = {"plugin": "bankops.fleet.multicloud", **configuration}
        (self.folder / "fleet.multicloud.yml").write_text(yaml.safe_dump(whole))

    def plan(self, tenant: str, hosts: dict[str, dict[str, str]]) -> str:
        """A plan of some hosts in the state."""
        with self.state.write_plan(tenant) as writer:
            entries = {}
            for host, where in hosts.items():
                document = {
                    "format": 1,
                    "host": host,
                    "tenant": tenant,
                    "identity": {"machine_id": "0" * 32, "instance_id": where["instance_id"]},
                    "placement": {"cloud": where["fleet_cloud"], "account": where["fleet_account"]},
                }
                place = {"wave": "all", "cluster": None, "decision": "unchanged", "reason": "", "updates": 0}
                entries[host] = {"digest": writer.put_host(host, document), **place}
            head = {"format": 1, "tenant": tenant, "cycle": "2026-10", "created": "2026-10-11T08:00:00Z"}
            plan = writer.finish({**head, "expires": "2026-10-18T08:00:00Z", "hosts": entries, "missing": []})
        self.state.put_cycle("2026-10", [{"tenant": tenant, "plan": plan}])
        return plan

    def run(self, *arguments: str, playbook: str = "bankops.fleet.coverage") -> subprocess.CompletedProcess[str]:
        """A run; ``-e`` for the state is given."""
        state = ("-e", f"fleet_state_dir={self.folder / 'state'}")
        inventory = ("-i", "fleet.multicloud.yml")
        return run_ansible(
            self.folder, "playbook", *inventory, playbook, *state, *arguments, environment=self.environment
        )

    def recorded(self) -> list[dict[str, Any]]:
        """What the ledger of alpha's plan has of coverage."""
        entries = read_entries(self.state.entries("alpha", self.plans["alpha"]))
        return [entry["data"]["coverage"] for entry in entries if entry["phase"] == "coverage"]


@pytest.fixture
def site(tmp_path: Path, console: Console) -> Iterator[Site]:
    with serving(console) as url:
        yield Site(tmp_path, url, console)


def undocumented(told: str) -> list[str]:
    """Lines that docs/coverage.md shows of this very run, and that were not printed."""
    shown = (REPOSITORY / "docs" / "coverage.md").read_text().partition("```console\n")[2].partition("```")[0]
    assert shown
    dates = re.compile(r"\d{4}-\d\d-\d\d(T[\d:]+Z)?")
    printed = {dates.sub("DATE", line) for line in told.splitlines()}
    return [line for line in shown.splitlines()[1:] if dates.sub("DATE", line) not in printed]


def findings(coverage: dict[str, Any]) -> set[tuple[str, str]]:
    return {(row["finding"], row["name"]) for row in coverage["findings"]}


ALPHA = {("unprotected", "web3"), ("stale", "web2"), ("duplicate", "web5"), ("gone", "web2")}


def test_what_is_found_is_told_recorded_and_fails_the_run(site: Site) -> None:
    ran = site.run()
    assert ran.returncode == 2, ran.stdout + ran.stderr
    told = ran.stdout
    assert "sensors: 9 (CIDs: " in told
    assert "machines: 6, running: 5, in the plan: 2" in told
    assert "protected: 3 of 5 running, 1 of them in reduced functionality mode" in told
    assert re.search(r"^unprotected +web3 +aws +123456789012 +i-0aa11bb22cc33dd03 +it runs, and no sensor", told, re.M)
    assert re.search(r"^gone +web2 +aws +123456789012 +i-0ffffffffffffff02 +of plan", told, re.M)
    assert re.search(r"^unknown +gce1 +gcp +prod-web .*account 578609343865 where it has prod-web", told, re.M)
    assert re.search(r"^unmanaged +shadow\?\[2J ", told, re.M)
    assert "\x1b[2J" not in told
    assert "alpha: 1 unprotected (web3), 1 stale (web2)" in told
    [recorded] = site.recorded()
    assert findings(recorded) == ALPHA
    [read] = recorded["inventory"]
    assert read["inventory"].endswith("/fleet.multicloud.yml")
    assert datetime.fromisoformat(read["read"]) <= datetime.now(timezone.utc)
    assert undocumented(told) == []
    assert site.environment["FALCON_CLIENT_SECRET"] not in told + ran.stderr + json.dumps(recorded)


def test_the_hosts_of_a_finding_are_a_group_to_act_on(site: Site) -> None:
    ran = site.run("-e", '{"fleet_coverage_fail_on": []}', playbook="act.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(re.findall(r"act on (\w+)", ran.stdout)) == {"lost1", "web2", "web3"}
    assert "no sensor by the inventory: ['lost1', 'web3']" in ran.stdout
    assert f"web1 has {'a1' * 16}" in ran.stdout


def test_check_mode_looks_and_records_nothing(site: Site) -> None:
    # A tag that nothing has leaves nothing out.
    ran = site.run("--check", "--tags", "nothing", "-e", '{"fleet_coverage_fail_on": ["gone"]}')
    assert ran.returncode == 2
    assert "1 gone (web2)" in ran.stdout
    assert site.recorded() == []


def test_a_tenant_alone_is_told_nothing_of_the_others(site: Site) -> None:
    ran = site.run("-e", '{"patch_tenants": ["beta"]}')
    assert ran.returncode == 2
    assert "Tenant beta\nmachines: 2, running: 2\n" in ran.stdout
    assert "web3" not in ran.stdout
    assert site.recorded() == []


def test_the_number_of_a_project_joins_its_machines(site: Site) -> None:
    source = {**site.source, "project_numbers": {"prod-web": 578609343865}}
    ran = site.run("-e", json.dumps({"fleet_coverage_falcon": [source], "patch_tenants": ["beta"]}))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "protected: 2 of 2 running" in ran.stdout


def test_without_a_source_of_sensors_nobody_is_protected(site: Site) -> None:
    site.write({"sources": [{"type": "static", "files": ["hosts.yml"]}]})
    ran = site.run()
    assert ran.returncode == 2
    assert "no source of type falcon is configured; who is protected is unknown" in ran.stdout
    assert "protected: unknown of 5 running" in ran.stdout
    assert "alpha: 5 unknown" in ran.stdout
    [recorded] = site.recorded()
    assert (recorded["sensors_were_read"], recorded["protected"], recorded["counts"]["unknown"]) == (False, 0, 5)


def test_a_falcon_that_cannot_be_read_is_no_answer(site: Site, console: Console) -> None:
    site.write({"sources": [{"type": "static", "files": ["hosts.yml"]}]})
    broken = answers(403, {"errors": [{"code": 403, "message": "access denied, scope not permitted"}]})
    fault(console, DEVICES, broken, times=-1)
    ran = site.run("-e", json.dumps({"fleet_coverage_falcon": [site.source]}))
    assert ran.returncode == 2
    said = " ".join(ran.stdout.replace("\\n", " ").split())
    assert (
        f"source falcon, {CID}: hosts:CombinedDevicesByFilter: status 403: access denied, scope not permitted." in said
    )
    assert "Give the API client the scope Hosts: Read in the Falcon console." in said
    assert site.recorded() == []


def test_a_limit_is_refused(site: Site) -> None:
    limited = site.run("--limit", "web1")
    assert limited.returncode != 0
    assert "leave --limit out" in limited.stdout + limited.stderr
