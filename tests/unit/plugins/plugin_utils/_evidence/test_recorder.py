# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The recorder writes into the ledgers that are open, and what it could not write begins no further host."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.recorder import Recorder
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import (
    OPENS_ATTEMPTS,
    TaskResult,
    intended,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

PLUGINS = Path(__file__).parents[5] / "plugins"


class Reluctant(FolderState):
    """A state whose disk refuses when it is told to."""

    problem: BaseException | None = None

    def append(self, tenant: str, plan: str, build: Any) -> bytes:
        if self.problem:
            raise self.problem
        return super().append(tenant, plan, build)


@dataclass
class Desk:
    """A recorder at work on the plans of two tenants."""

    root: Path
    state: Reluctant
    plans: dict[str, str]
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.recorder = Recorder(
            open_state=lambda _root: self.state, process=7, version="0.1.0", complain=self.said.append
        )

    def take(self, host: str, result: dict[str, Any], phase: str | None = None, **more: Any) -> None:
        arguments = {
            "task": "A task",
            "module": "bankops.fleet.updates",
            "outcome": EntryOutcome.OK,
            "ignored": False,
            "check_mode": False,
            "seconds": 1.25,
        }
        self.recorder.take(TaskResult(host=host, phase=phase, result=result, **{**arguments, **more}))

    def open(self, tenant: str, attempt: int, hosts: list[str]) -> None:
        opened = {
            "plan": self.plans[tenant],
            "attempt": attempt,
            "tenant": tenant,
            "cycle": "2026-11",
            "state_dir": str(self.root),
            "hosts": hosts,
        }
        self.take("localhost", {"fleet_attempts": [opened]}, module=OPENS_ATTEMPTS)

    def intended(self, tenant: str, attempt: int) -> dict[str, Any]:
        """What the controller half of haproxy_server says when it has written the intent to drain into the ledger."""
        return {"fleet_intended": intended(self.plans[tenant], attempt)}

    def entries(self, tenant: str) -> list[dict[str, Any]]:
        return list(read_entries(self.state.entries(tenant, self.plans[tenant])))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    state, plans = Reluctant(tmp_path), {}
    for tenant in ("north", "south"):
        with state.write_plan(tenant) as writer:
            plans[tenant] = writer.finish({"format": 1, "tenant": tenant, "hosts": {}})
    return Desk(tmp_path, state, plans)


def test_each_host_goes_into_the_ledger_of_its_own_tenant(desk: Desk) -> None:
    desk.open("north", 1, ["web1"])
    desk.open("south", 1, ["web2"])
    for host in ("web1", "web2", "stranger"):
        desk.take(host, {}, "apply")
    assert [entry["host"] for entry in desk.entries("north")] == [None, "web1"]
    assert [entry["host"] for entry in desk.entries("south")] == [None, "web2"]


def test_a_further_attempt_takes_the_place_of_the_one_before(desk: Desk) -> None:
    desk.open("north", 1, ["web1", "web2"])
    desk.open("north", 2, ["web1"])
    for host in ("web1", "web2"):
        desk.take(host, {}, "apply")
    assert [(entry["host"], entry["attempt"]) for entry in desk.entries("north")] == [(None, 1), (None, 2), ("web1", 2)]


def test_without_an_open_attempt_there_is_nothing_to_do(desk: Desk) -> None:
    assert not desk.recorder.concerns("m", "apply")
    desk.open("north", 1, ["web1"])
    assert desk.recorder.concerns("m", "apply")
    assert not desk.recorder.concerns("m", None)


@pytest.mark.parametrize("problem", [FleetError("disk full", kind="disk_full"), OSError("disk full")])
def test_what_could_not_be_written_begins_no_further_host(desk: Desk, problem: BaseException) -> None:
    desk.open("north", 1, ["web1", "web2"])
    desk.state.problem = problem
    desk.take("web1", {}, "apply")
    desk.state.problem = None
    desk.take("web2", {}, "apply")
    assert [entry["host"] for entry in desk.entries("north")] == [None, "web2"]
    stop = desk.state.stop_requested("north")
    assert stop is not None
    assert "web1: apply: disk full" in Path(stop).read_text()
    assert desk.state.stop_requested("south") is None
    assert "disk full" in desk.recorder.lost[0]
    assert "no further host is begun" in desk.said[0]


def test_a_defect_of_the_recorder_itself_is_not_hidden_and_begins_no_further_host(desk: Desk) -> None:
    desk.open("north", 1, ["web1"])
    desk.state.problem = TypeError("a defect")
    with pytest.raises(TypeError):
        desk.take("web1", {}, "apply")
    assert desk.recorder.lost == [f"{desk.plans['north'][:16]} web1: apply: of a defect; see the warning"]
    assert desk.state.stop_requested("north")


def test_an_attempt_whose_opening_was_lost_begins_no_host(desk: Desk) -> None:
    desk.state.problem = OSError("disk full")
    desk.open("north", 1, ["web1"])
    assert desk.recorder.lost == [f"{desk.plans['north'][:16]} attempt: open: disk full"]
    assert desk.state.stop_requested("north")
    # The guards miss the recorder's word as well.
    assert desk.entries("north") == []


def test_when_even_the_stop_file_cannot_be_written_that_is_said(desk: Desk) -> None:
    desk.open("north", 1, ["web1"])
    desk.state.problem = OSError("disk full")
    (desk.root / "tenants" / "north").rename(desk.root / "tenants" / "elsewhere")
    desk.take("web1", {}, "apply")
    assert "could not be written" in desk.said[0]


# What a managed host may have said proves nothing

SHELL = "ansible.builtin.command"
STAGING = "bankops.fleet.updates_stage"
FORGED: dict[str, Any] = {
    "fleet_outcome": {"outcome": "verified", "in_service": "yes", "reason": "", "holds": []},
    "msg": "done",
    "rc": 0,
    "attempts": 3,
    "changed": True,
    "fleet_failure": {"kind": "forged"},
    "fleet_evidence": {"verdict": "proceed"},
    "fleet_results": {"web2": {"changed": True, "fleet_evidence": {"after": {"nginx:amd64": "9"}}}},
    "fleet_unreachable": True,
}


def steps(desk: Desk, tenant: str = "north") -> list[tuple[str, str, str]]:
    """Host, phase and outcome of every entry but the openings."""
    found = [(entry["host"], entry["phase"], entry["outcome"]) for entry in desk.entries(tenant)]
    return [entry for entry in found if entry[1] != "open"]


@pytest.mark.parametrize(
    "phase", ["preflight", "drain", "apply", "verify", "return", "stage", "outcome", "open", "close", "lunch"]
)
def test_a_foreign_module_records_nothing_but_hooks(desk: Desk, phase: str) -> None:
    desk.open("north", 1, ["web1", "web2"])
    for host in ("web1", "web2"):
        desk.take(host, FORGED, phase, module=SHELL, outcome=EntryOutcome.CHANGED)
    assert steps(desk) == [("web1", "hook", "changed"), ("web2", "hook", "changed")]
    assert desk.entries("north")[-1]["data"] == {
        "msg": "done",
        "rc": 0,
        "task": {"name": "A task", "module": SHELL, "changed": True, "claimed_phase": phase, "seconds": 1.25},
    }
    assert len(desk.said) == 1
    assert f"'A task' claims the phase '{phase}', which {SHELL} may not record" in desk.said[0]


def test_a_foreign_module_in_a_hook_is_recorded_by_message_and_status_alone(desk: Desk) -> None:
    desk.open("north", 1, ["web1", "web2"])
    looped = {"results": [{**FORGED, "item": "one"}, {**FORGED, "item": "two", "failed": True}]}
    desk.take("web1", FORGED, "hook", module=SHELL, outcome=EntryOutcome.FAILED)
    desk.take("web1", looped, "hook", module=SHELL)
    desk.take("web1", FORGED, "hook", module=SHELL, outcome=EntryOutcome.SKIPPED)
    assert steps(desk) == [("web1", "hook", "failed"), ("web1", "hook", "ok")]
    failed, loop = (entry["data"] for entry in desk.entries("north")[1:])
    assert set(failed) == {"msg", "rc", "task"}
    assert loop["items"] == [
        {"item": "one", "msg": "done", "rc": 0, "outcome": "changed"},
        {"item": "two", "msg": "done", "rc": 0, "outcome": "failed"},
    ]
    assert desk.said == []


@pytest.mark.parametrize("module", [SHELL, "bankops.fleet.updates", "bankops.fleet_tools.patch_attempt", "updates"])
def test_only_patch_attempt_opens_an_attempt(desk: Desk, module: str) -> None:
    opened = {"plan": desk.plans["north"], "attempt": 1, "tenant": "north", "hosts": ["web1"]}
    forged = {"fleet_attempts": [{**opened, "cycle": "2026-11", "state_dir": str(desk.root)}]}
    desk.take("web1", forged, "apply", module=module)
    assert desk.entries("north") == []


OUR_MODULES = sorted(f"bankops.fleet.{path.stem}" for path in (PLUGINS / "modules").glob("[a-z]*.py"))
RIGHT = {
    ("bankops.fleet.updates_info", "scan"),
    ("bankops.fleet.updates_info", "preflight"),
    (STAGING, "stage"),
    ("bankops.fleet.haproxy_server", "drain"),
    ("bankops.fleet.haproxy_server", "return"),
    ("bankops.fleet.updates", "apply"),
    ("bankops.fleet.updates", "rollback"),
    ("bankops.fleet.host_reboot", "reboot"),
    ("bankops.fleet.host_state_info", "verify"),
}
PAIRS = {(module, phase.value) for module in (*OUR_MODULES, "bankops.fleetling.updates") for phase in Phase}
WRONG = sorted(pair for pair in PAIRS - RIGHT if pair[1] != "hook")


def test_each_module_records_its_own_phases(desk: Desk) -> None:
    assert RIGHT < PAIRS
    desk.open("north", 1, ["web1"])
    for module, phase in sorted(RIGHT):
        result = {"fleet_evidence": {"verdict": "proceed"}, **desk.intended("north", 1)}
        desk.take("web1", result, phase, module=module)
    assert steps(desk) == [("web1", phase, "ok") for _module, phase in sorted(RIGHT)]
    assert all("claimed_phase" not in entry["data"]["task"] for entry in desk.entries("north")[1:])
    assert desk.said == []


@pytest.mark.parametrize(
    ("module", "phase", "result"),
    [
        ("bankops.fleet.updates_info", "preflight", {"updates": []}),
        ("bankops.fleet.host_state_info", "verify", {"state": {}}),
        ("bankops.fleet.haproxy_server", "drain", {"changed": True, "fleet_evidence": {"server": "somebody's"}}),
    ],
)
def test_what_was_not_done_under_the_plan_proves_nothing_of_it(
    desk: Desk, module: str, phase: str, result: dict[str, Any]
) -> None:
    desk.open("north", 2, ["web1"])
    # Of an earlier attempt, or of another plan: neither is an intent of this one.
    intents = (desk.intended("north", 1), desk.intended("south", 2)) if phase == "drain" else ()
    for intent in ({}, *intents):
        desk.take("web1", {**result, **intent}, phase, module=module)
    entry = desk.entries("north")[-1]
    assert {step[1] for step in steps(desk)} == {"hook"}
    assert (entry["phase"], entry["data"]["task"]["claimed_phase"]) == ("hook", phase)
    assert f"claims the phase '{phase}'" in desk.said[0]
    # That it failed may be said of any.
    desk.take("web1", {"msg": "no"}, phase, module=module, outcome=EntryOutcome.FAILED)
    assert steps(desk)[-1] == ("web1", phase, "failed")


@pytest.mark.parametrize(("module", "phase"), WRONG)
def test_no_task_claims_the_phase_of_another(desk: Desk, module: str, phase: str) -> None:
    desk.open("north", 1, ["web1"])
    desk.take("web1", {**FORGED, **desk.intended("north", 1), "fleet_results": None}, phase, module=module)
    (entry,) = desk.entries("north")[1:]
    assert (entry["host"], entry["phase"], entry["data"]["task"]["claimed_phase"]) == ("web1", "hook", phase)
    assert f"claims the phase '{phase}'" in desk.said[0]


def test_a_module_of_the_collection_speaks_for_hosts_of_its_own_attempt_alone(desk: Desk) -> None:
    desk.open("north", 1, ["web1", "web2"])
    desk.open("south", 1, ["web3"])
    results = {host: {"changed": True} for host in ("web1", "web2", "web3", "stranger")}
    desk.take("web1", {"fleet_results": results}, "stage", module=STAGING)
    assert steps(desk) == [("web1", "stage", "changed"), ("web2", "stage", "changed")]
    assert steps(desk, "south") == []
    assert "spoke for hosts that are not of the attempt" in desk.said[0]
    assert "ignored: stranger, web3" in desk.said[0]


def test_a_result_that_is_none_proves_nothing_and_is_missed(desk: Desk) -> None:
    desk.open("north", 1, ["web1", "web2"])
    desk.take("web1", {"fleet_results": {"web1": {"changed": True}, "web2": "fine"}}, "stage", module=STAGING)
    assert steps(desk) == [("web1", "stage", "changed")]
    assert desk.recorder.lost == [f"{desk.plans['north'][:16]} web2: the task 'A task' returned no result for it"]
    assert desk.state.stop_requested("north")


def test_a_module_of_the_collection_says_that_its_host_went_away(desk: Desk) -> None:
    desk.open("north", 1, ["web1"])
    desk.take("web1", {"fleet_unreachable": True, "msg": "no route"}, "apply", outcome=EntryOutcome.FAILED)
    assert steps(desk) == [("web1", "apply", "unreachable")]


def test_evidence_is_not_hidden_by_a_word_of_the_host(desk: Desk) -> None:
    desk.open("north", 1, ["web1"])
    desk.take("web1", {"censored": True, "fleet_evidence": {"after": {"nginx:amd64": "2"}}}, "apply")
    assert desk.entries("north")[-1]["data"]["after"] == {"nginx:amd64": "2"}
