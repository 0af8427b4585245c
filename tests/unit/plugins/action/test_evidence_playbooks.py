# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""evidence_seal.yml, evidence_verify.yml and evidence_reconcile.yml in real runs of ansible-playbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.tests.fakes.controller import run_ansible
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process


def play(
    site: Site, name: str, *arguments: str, inventory: dict[str, Any] | None = None, **variables: Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection as a user does."""
    if inventory is not None:
        (site.folder / "inventory.json").write_text(json.dumps(inventory))
        arguments = ("-i", "inventory.json", *arguments)
    return run_ansible(site.folder, "playbook", name, "-e", json.dumps(variables), *arguments)


def on_controller(site: Site, **more: Any) -> dict[str, Any]:
    keys = {tenant: str(site.keys[tenant]) for tenant in ("alpha", "beta")}
    signers = str(site.signers)
    state = str(site.folder / "state")
    return {"fleet_state_dir": state, "fleet_seal_key": keys, "fleet_seal_signers": signers, **more}


def changed(done: subprocess.CompletedProcess[str]) -> int:
    """How many tasks of the controller say that they changed something."""
    (count,) = re.findall(r"^localhost +: .* changed=(\d+) ", done.stdout, flags=re.MULTILINE)
    return int(count)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, subprocess.CompletedProcess[str]]:
    """A cycle of two tenants, and a plan of the next one that is not at its end; sealed, and the roots kept."""
    site = Site(tmp_path_factory.mktemp("site"))
    for tenant in ("alpha", "beta"):
        site.patched(tenant)
    site.freeze("alpha", "2026-12")
    anchor = site.folder / "anchor.yml"
    line = "{{ fleet_seal | to_json }}"
    copy = {"content": line, "dest": f"{site.folder}/anchor-{{{{ fleet_seal.tenant }}}}.json", "mode": "0600"}
    anchor.write_text(json.dumps([{"name": "Keep it", "ansible.builtin.copy": copy}]))
    return site, play(site, "bankops.fleet.evidence_seal", **on_controller(site, fleet_seal_anchors=[str(anchor)]))


def test_what_is_at_its_end_is_sealed_and_the_rest_is_said_to_wait(
    sealed: tuple[Site, subprocess.CompletedProcess[str]],
) -> None:
    site, done = sealed
    assert done.returncode == 0, done.stdout
    bundles = sorted(str(path.relative_to(site.folder)) for path in site.folder.glob("state/bundles/*/*"))
    assert [path[:35] for path in bundles] == [
        "state/bundles/alpha/0001-2026-11-" + bundles[0][33:35],
        *[bundles[1][:35]],
    ]
    assert "alpha: plan" in done.stdout
    assert "is not sealed: The plan" in said(done)


def test_the_second_run_changes_nothing(sealed: tuple[Site, subprocess.CompletedProcess[str]]) -> None:
    site, done = sealed
    assert changed(done) == 3, "the seals, and two anchors"
    again = play(site, "bankops.fleet.evidence_seal", **on_controller(site))
    assert again.returncode == 0, again.stdout
    assert changed(again) == 0


def test_a_look_says_what_would_be_sealed_and_what_the_key_prevents(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for cycle in ("2026-10", "2026-11"):
        site.patched("alpha", cycle)
    site.patched("beta")
    given = on_controller(site)
    seen = play(site, "bankops.fleet.evidence_seal", "--check", **given)
    assert (seen.returncode, changed(seen)) == (0, 1), seen.stdout
    assert said(seen).count("would be sealed: complete.") == 3
    assert site.state.seals("alpha") == []
    other = play(
        site, "bankops.fleet.evidence_seal", "--check", **{**given, "fleet_seal_key": str(site.keys["mallory"])}
    )
    assert other.returncode != 0
    assert "is not listed as seal@beta in" in said(other)
    assert "would be sealed" not in other.stdout
    # Of what is sealed nobody asks for a key, and the plans of one tenant lack the same one.
    alone = play(site, "bankops.fleet.evidence_seal", **{**given, "fleet_seal_key": {"beta": str(site.keys["beta"])}})
    (failure,) = [line for line in alone.stdout.splitlines() if line.startswith("fatal:")][-1:]
    assert failure.count("fleet_seal_key names no key for tenant alpha.") == 1
    keyless = play(site, "bankops.fleet.evidence_seal", **{**given, "fleet_seal_key": "", "patch_tenants": ["beta"]})
    assert keyless.returncode == 0, keyless.stdout
    (bundle,) = (site.folder / "state/bundles/beta").iterdir()
    shutil.rmtree(bundle)
    gone = play(site, "bankops.fleet.evidence_seal", "--check", **given, patch_tenants=["beta"])
    assert "and the bundle of its seal 1 is gone: it would be made again." in said(gone)
    assert changed(gone) == 1


def test_an_anchor_gets_the_root_of_each_new_seal(sealed: tuple[Site, subprocess.CompletedProcess[str]]) -> None:
    site, done = sealed
    for tenant in ("alpha", "beta"):
        kept = json.loads((site.folder / f"anchor-{tenant}.json").read_text())
        assert (kept["tenant"], kept["number"], kept["new"]) == (tenant, 1, True)
        assert kept["root"] in done.stdout
    (site.folder / "anchor-alpha.json").unlink()
    again = on_controller(site, fleet_seal_anchors=[str(site.folder / "anchor.yml")], fleet_anchor_again=True)
    assert play(site, "bankops.fleet.evidence_seal", **again).returncode == 0
    assert json.loads((site.folder / "anchor-alpha.json").read_text())["new"] is False


def test_a_named_plan_that_is_not_at_its_end_fails_the_run(
    sealed: tuple[Site, subprocess.CompletedProcess[str]],
) -> None:
    done = play(sealed[0], "bankops.fleet.evidence_seal", **on_controller(sealed[0], patch_cycle="2026-12"))
    assert done.returncode != 0
    assert "2 of 2 hosts have no final outcome" in said(done)


def test_an_auditor_verifies_a_copy_alone(
    sealed: tuple[Site, subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _done = sealed
    # Where a state is by default there is none, and nobody has to say so.
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(site.folder / "state/bundles", tmp_path / "bundles")
    auditor: dict[str, Any] = {"fleet_seal_signers": str(site.signers)}
    good = play(site, "bankops.fleet.evidence_verify", **auditor, fleet_bundles=str(tmp_path / "bundles"))
    assert good.returncode == 0, good.stdout
    assert "2 bundles verified, alone, without the state: nothing is wrong." in good.stdout
    assert not (tmp_path / ".local").exists()
    (report,) = (tmp_path / "bundles/alpha").glob("*/reports/report.html")
    report.write_text("<p>all is well</p>")
    bad = play(site, "bankops.fleet.evidence_verify", **auditor, fleet_bundles=str(tmp_path / "bundles/alpha"))
    assert bad.returncode == 2
    assert "FOUND file_changed: alpha, seal 1: has the SHA-256" in said(bad)
    assert "1 bundle verified, alone, without the state: 1 finding." in bad.stdout


def test_the_controller_verifies_against_the_state(sealed: tuple[Site, subprocess.CompletedProcess[str]]) -> None:
    site, _done = sealed
    good = play(site, "bankops.fleet.evidence_verify", "--check", **on_controller(site))
    assert good.returncode == 0, good.stdout
    assert "compared with the state: nothing is wrong." in good.stdout
    assert "alpha: cycle 2026-12, plan" in good.stdout


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("flet", "the state at {folder}/flet has no tenant. Correct fleet_state_dir, or verify the bundles alone"),
        ("allowed_signers", "fleet_state_dir is '{folder}/allowed_signers', which is no folder."),
    ],
)
def test_a_state_that_is_named_and_not_there_is_not_left_out(
    sealed: tuple[Site, subprocess.CompletedProcess[str]], path: str, sentence: str
) -> None:
    site, _done = sealed
    mistyped = on_controller(site, fleet_bundles=str(site.folder / "state/bundles"))
    mistyped["fleet_state_dir"] = str(site.folder / path)
    done = play(site, "bankops.fleet.evidence_verify", **mistyped)
    assert done.returncode == 2
    assert sentence.format(folder=site.folder) in said(done)
    if path == "flet":
        alone = play(site, "bankops.fleet.evidence_verify", **mistyped, fleet_verify_state=False)
        assert alone.returncode == 0, alone.stdout


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "Name the allowed-signers file of the seals"),
        ({"fleet_anchors": [{"tenant": "alpha", "root": "00"}]}, "fleet_anchors: item 1 is"),
    ],
)
def test_what_cannot_be_verified_is_an_error_that_says_why(
    sealed: tuple[Site, subprocess.CompletedProcess[str]], variables: dict[str, Any], sentence: str
) -> None:
    site, _done = sealed
    bundles = {"fleet_bundles": str(site.folder / "state/bundles")}
    signers = {"fleet_seal_signers": str(site.signers)} if variables else {}
    none = {"fleet_verify_state": False}
    done = play(site, "bankops.fleet.evidence_verify", **{**none, **bundles, **signers, **variables})
    assert done.returncode != 0
    assert sentence in said(done)


def test_no_tags_leave_anything_out(tmp_path: Path) -> None:
    site = Site(tmp_path)
    book = site.patched()
    tags = ("--tags", "nothing", "--skip-tags", "all")
    anchor = tmp_path / "anchor.yml"
    anchor.write_text(json.dumps([{"name": "Keep it", "ansible.builtin.debug": {"msg": "kept elsewhere"}}]))
    sealing = play(site, "bankops.fleet.evidence_seal", *tags, **on_controller(site, fleet_seal_anchors=[str(anchor)]))
    assert sealing.returncode == 0, sealing.stdout
    assert "kept elsewhere" in sealing.stdout
    (bundle,) = (tmp_path / "state/bundles/alpha").iterdir()
    (bundle / "notes.txt").write_text("")
    verifying = play(site, "bankops.fleet.evidence_verify", *tags, **on_controller(site))
    assert verifying.returncode == 2
    assert "FOUND file_added" in verifying.stdout
    inventory = {"all": {"children": {"fleet": {"hosts": {"web1": {"ansible_connection": "local"}}}}}}
    for name, sentence in (
        ("evidence_reconcile", "nobody is to be asked"),
        ("patch_status", f"plan {book.plan[:16]}"),
        ("patch_report", "the plan is sealed"),
        ("report_send", "report_destinations"),
    ):
        done = play(
            site, f"bankops.fleet.{name}", *tags, inventory=inventory, **on_controller(site, patch_cycle="2026-11")
        )
        assert sentence in said(done), name


def test_under_a_limit_nothing_is_done(tmp_path: Path) -> None:
    site = Site(tmp_path)
    done = play(site, "bankops.fleet.evidence_seal", "--limit", "web1", inventory={"all": {"hosts": {"web1": {}}}})
    assert done.returncode != 0
    assert "leave --limit out" in said(done)


def test_an_attempt_that_died_is_closed_after_its_hosts_were_asked(tmp_path: Path) -> None:
    site = Site(tmp_path)
    book = site.freeze(hosts=("web1", "web2", "web3"))
    site.approve(book)
    attempt = site.open(book, process=dead_process())
    site.begin(book, attempt, "web1")
    here = {"ansible_connection": "local", "fleet_tenant": "alpha"}
    away = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9, "fleet_tenant": "alpha"}
    # web3 is not in the inventory any more.
    inventory = {"all": {"hosts": {"web1": here, "web2": away}}}
    variables = {"fleet_state_dir": str(tmp_path / "state")}
    before = list(site.state.entries("alpha", book.plan))
    looked = play(site, "bankops.fleet.evidence_reconcile", "--check", inventory=inventory, **variables)
    assert looked.returncode == 0, looked.stdout
    assert "would be closed as incomplete" in said(looked)
    assert list(site.state.entries("alpha", book.plan)) == before
    assert changed(looked) == 1
    done = play(site, "bankops.fleet.evidence_reconcile", inventory=inventory, **variables)
    assert done.returncode == 0, done.stdout
    assert changed(done) == 1
    last = json.loads(list(site.state.entries("alpha", book.plan))[-1])
    assert last["data"]["state"] == "incomplete"
    assert (last["data"]["answered"], last["data"]["silent"], last["data"]["left"]) == (1, ["web2", "web3"], ["web1"])
    assert "1 of 3 hosts answered; no answer from: web2, web3; in the middle of their change: web1." in said(done)


def test_hosts_left_in_the_middle_that_do_not_answer_fail_the_run_and_are_asked_again(tmp_path: Path) -> None:
    site = Site(tmp_path)
    book = site.freeze(hosts=("web1", "web2"))
    site.approve(book)
    attempt = site.open(book, process=dead_process())
    for host in ("web1", "web2"):
        site.begin(book, attempt, host)
    here = {"ansible_connection": "local", "fleet_tenant": "alpha"}
    away = {**here, "ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    broken = {**here, "ansible_python_interpreter": "/nowhere/python3"}

    def reconcile(**hosts: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        inventory, state = {"all": {"hosts": hosts}}, str(tmp_path / "state")
        return play(site, "bankops.fleet.evidence_reconcile", inventory=inventory, fleet_state_dir=state)

    done = reconcile(web1=away, web2=broken)
    assert done.returncode == 2
    assert "0 of 2 hosts answered; no answer from: web1; nothing but a failure from: web2; in the middle" in said(done)
    assert "In the middle of their change, and nothing is known of them: alpha, plan" in said(done)
    last = json.loads(list(site.state.entries("alpha", book.plan))[-1])
    assert (last["data"]["state"], last["data"]["silent"], last["data"]["failed"]) == ("incomplete", ["web1"], ["web2"])
    before = list(site.state.entries("alpha", book.plan))
    again = reconcile(web1=away, web2=broken)
    assert (again.returncode, changed(again)) == (2, 0)
    assert "is closed; asked again: 2 hosts." in said(again)
    assert list(site.state.entries("alpha", book.plan)) == before
    answered = reconcile(web1=here, web2=here)
    assert answered.returncode == 0, answered.stdout
    assert "2 of 2 hosts answered; in the middle of their change: web1, web2." in said(answered)
    nobody = reconcile(web1=here, web2=here)
    assert (nobody.returncode, changed(nobody)) == (0, 0)
    assert "1 plan looked at: no attempt has died, and nobody is to be asked." in said(nobody)
