# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback in real runs of ansible-playbook: what reaches the ledger, what does not, and what if it cannot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import read_entries, verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible

HOSTS = ["web1", "web2", "web3"]

# Returns its arguments as its result, so that a test can say what any module would have said.
ANSWER = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {**super().run(tmp, task_vars), **self._task.args}
"""

# Which module of the collection records a phase, and one that records hooks alone.
MODULES = {
    "scan": "bankops.fleet.updates_info",
    "preflight": "bankops.fleet.updates_info",
    "stage": "bankops.fleet.updates_stage",
    "drain": "bankops.fleet.haproxy_server",
    "apply": "bankops.fleet.updates",
    "rollback": "bankops.fleet.updates",
    "reboot": "bankops.fleet.host_reboot",
    "verify": "bankops.fleet.host_state_info",
}
ANY = "bankops.fleet.answer"

VAULT_PASSWORD = "the word that opens the vault"  # noqa: S105


@dataclass(frozen=True)
class Run:
    """A finished run: its exit status, what it printed, and the ledger it wrote."""

    status: int
    printed: str
    state: FolderState
    root: Path
    plan: str

    @property
    def lines(self) -> list[bytes]:
        return list(self.state.entries("north", self.plan))

    def entries(self, phase: str, host: str | None = None) -> list[dict[str, Any]]:
        """The entries of a phase, of one host where one is named."""
        found = [entry for entry in read_entries(self.lines) if entry["phase"] == phase]
        return [entry for entry in found if host is None or entry["host"] == host]


class Scene:
    """A folder with a plan, an inventory and the means to run a playbook on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "state"
        self.state = FolderState(self.root)
        with self.state.write_plan("north") as writer:
            self.plan = writer.finish({"format": 1, "tenant": "north", "hosts": {}})
        self.state.acquire(
            "north", HOSTS, "this run", seconds=60, now=datetime.now(timezone.utc), is_dead=lambda _owner: False
        )
        (folder / "action_plugins").mkdir()
        (folder / "action_plugins" / "foreign.py").write_text(ANSWER)
        self._shadow_the_collection()
        (folder / "inventory.ini").write_text("[all:vars]\nansible_connection=local\n[fleet]\n" + "\n".join(HOSTS))
        (folder / "vault").write_text(VAULT_PASSWORD)

    def _shadow_the_collection(self) -> None:
        """This very collection, but that some of its modules only answer what they are told to."""
        shadow = self.folder / "collections" / "ansible_collections" / "bankops" / "fleet"
        actions = shadow / "plugins" / "action"
        actions.mkdir(parents=True)
        for module in {ANY, "bankops.fleet.patch_attempt", *MODULES.values()}:
            (actions / f"{module.rpartition('.')[2]}.py").write_text(ANSWER)
        for name in ("callback", "module_utils", "plugin_utils"):
            (shadow / "plugins" / name).symlink_to(REPOSITORY / "plugins" / name)
        for name in ("galaxy.yml", "meta"):
            (shadow / name).symlink_to(REPOSITORY / name)

    def variables(self, variables: dict[str, Any]) -> None:
        """Write variables of all hosts."""
        (self.folder / "group_vars").mkdir(exist_ok=True)
        (self.folder / "group_vars" / "all.json").write_text(json.dumps(variables))

    def vaulted(self, value: str) -> str:
        """``value`` encrypted, as it stands in a file of variables."""
        command = ["vault", "encrypt_string", "--vault-password-file", "vault", "--name", "motd", value]
        return run_ansible(self.folder, *command).stdout

    def run(
        self, *tasks: dict[str, Any], arguments: tuple[str, ...] = (), environment: dict[str, str] | None = None
    ) -> Run:
        """Open an attempt, then run the tasks on all hosts."""
        opening = {
            "name": "Open an attempt",
            "bankops.fleet.patch_attempt": {
                "fleet_attempts": [
                    {
                        "plan": self.plan,
                        "attempt": 1,
                        "tenant": "north",
                        "cycle": "2026-11",
                        "state_dir": str(self.root),
                        "owner": "this run",
                        "hosts": HOSTS,
                    }
                ]
            },
            "run_once": True,
            "delegate_to": "localhost",
        }
        play = {"name": "Test", "hosts": "fleet", "gather_facts": False, "tasks": [opening, *tasks]}
        (self.folder / "play.json").write_text(json.dumps([play]))
        done = run_ansible(
            self.folder, "playbook", "-i", "inventory.ini", "play.json", *arguments, environment=environment
        )
        return Run(done.returncode, done.stdout + done.stderr, self.state, self.root, self.plan)


def answer(
    result: dict[str, Any], phase: str | None = None, module: str | None = None, **keywords: Any
) -> dict[str, Any]:
    task: dict[str, Any] = {"name": "Answer", module or MODULES.get(phase or "", ANY): result, **keywords}
    return {**task, "vars": {"fleet_phase": phase}} if phase else task


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run with everything in it that the tests below look at, for a run takes seconds."""
    scene = Scene(tmp_path_factory.mktemp("evidence"))
    scene.variables({"db_password": "planted-variable", "greeting": "hello there"})
    (scene.folder / "host_vars").mkdir()
    (scene.folder / "host_vars" / "web1.yml").write_text(scene.vaulted("planted-in-vault"))
    leaking = {
        "variable": "connected with planted-variable",
        "extra": "planted-extra!",
        "vault": "{{ motd | default('') }}",
        "url": "https://user:planted-in-url@mirror.test/debian",
        "nested": [{"api_token": "planted-nested"}],
        "greeting": "{{ greeting }}",
    }
    return scene.run(
        answer({"fleet_evidence": leaking}, "preflight"),
        answer({"msg": "planted-no-log", "fleet_evidence": {"x": "planted-no-log"}}, "hook", no_log=True),
        answer({"changed": True, "fleet_evidence": {"after": {"nginx:amd64": "2"}}}, "apply"),
        answer({"skipped": True}, "restart"),
        answer({"skipped": True, "fleet_evidence": {"why": "no unit is stale"}}, "reboot"),
        answer({"msg": "planned {{ item }}", "rc": 0}, "stage", loop=["one", "two"]),
        answer({"msg": "not of any phase"}),
        answer({"failed": True, "msg": "tolerated"}, "verify", ignore_errors=True),
        {
            "name": "A host that goes away is rescued",
            "vars": {"fleet_phase": "drain"},
            "block": [answer({"failed": True, "fleet_unreachable": True, "msg": "no route"}, module=MODULES["drain"])],
            "rescue": [answer({"changed": True, "fleet_evidence": {"restored": True}}, "rollback")],
        },
        answer(
            {
                "fleet_results": {
                    "web1": {"changed": True, "fleet_evidence": {"of": "web1"}},
                    "web2": {"failed": True, "msg": "too large"},
                    "elsewhere": {"changed": True},
                }
            },
            "scan",
            run_once=True,
            delegate_to="localhost",
        ),
        {
            "name": "Look on another host",
            "ansible.builtin.command": "/bin/sh -c 'echo planted-stdout; exit 3'",
            "delegate_to": "localhost",
            "ignore_errors": True,
            "when": "inventory_hostname == 'web1'",
            "vars": {"fleet_phase": "hook"},
        },
        answer({"msg": "verified, said planted-variable"}, "outcome"),
        arguments=("-e", "service_token=planted-extra!", "--vault-password-file", "vault"),
    )


def test_the_run_reached_its_end_and_the_chain_verifies(run: Run) -> None:
    assert run.status == 0, run.printed
    assert "not recorded" not in run.printed
    checked = verify(run.lines)
    assert checked.ok, checked.problems
    assert {entry["attempt"] for entry in read_entries(run.lines)} == {1}


def test_the_recorder_says_first_that_it_listens(run: Run) -> None:
    first = next(iter(read_entries(run.lines)))
    assert (first["phase"], first["outcome"], first["host"]) == ("open", "ok", None)
    assert set(first["data"]["recorder"]) == {"pid", "callback"}


@pytest.mark.parametrize(
    "secret",
    [
        "planted-variable",
        "planted-extra!",
        "planted-in-vault",
        "planted-in-url",
        "planted-nested",
        "planted-no-log",
        "planted-stdout",
    ],
)
def test_a_planted_secret_is_nowhere_in_the_state(run: Run, secret: str) -> None:
    for path in run.root.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path


def test_what_is_no_secret_is_recorded(run: Run) -> None:
    data = run.entries("preflight", "web1")[0]["data"]
    assert data["greeting"] == "hello there"
    assert data["variable"] == "connected with [redacted]"
    assert data["vault"] == "[redacted]"
    assert data["url"] == "https://[redacted]@mirror.test/debian"


def test_a_task_under_no_log_is_recorded_as_having_run(run: Run) -> None:
    data = run.entries("hook", "web1")[0]["data"]
    assert set(data) == {"censored", "task"}


def test_every_host_has_its_entry_with_evidence_and_duration(run: Run) -> None:
    entries = run.entries("apply")
    assert [entry["host"] for entry in sorted(entries, key=lambda entry: str(entry["host"]))] == HOSTS
    for entry in entries:
        assert entry["outcome"] == "changed"
        assert entry["data"]["after"] == {"nginx:amd64": "2"}
        assert 0 < entry["data"]["task"]["seconds"] < 60
        assert entry["data"]["task"]["name"] == "Answer"


def test_a_skipped_task_is_recorded_only_when_it_says_why(run: Run) -> None:
    assert run.entries("restart") == []
    assert [entry["outcome"] for entry in run.entries("reboot")] == ["skipped"] * 3


def test_a_loop_is_one_entry(run: Run) -> None:
    entries = run.entries("stage", "web1")
    assert len(entries) == 1
    assert entries[0]["data"]["items"] == [
        {"item": "one", "msg": "planned one", "rc": 0, "outcome": "ok"},
        {"item": "two", "msg": "planned two", "rc": 0, "outcome": "ok"},
    ]


def test_a_failure_that_is_ignored_is_a_failure_and_says_so(run: Run) -> None:
    entry = run.entries("verify", "web1")[0]
    assert entry["outcome"] == "failed"
    assert entry["data"]["msg"] == "tolerated"
    assert entry["data"]["task"]["ignored"] is True


def test_a_phase_is_inherited_from_the_block_and_a_lost_host_is_unreachable(run: Run) -> None:
    assert [entry["outcome"] for entry in run.entries("drain")] == ["unreachable"] * 3
    assert [entry["outcome"] for entry in run.entries("rollback")] == ["changed"] * 3


def test_a_result_for_many_hosts_is_fanned_out_to_those_of_the_plan(run: Run) -> None:
    assert {entry["host"]: entry["outcome"] for entry in run.entries("scan")} == {"web1": "changed", "web2": "failed"}
    assert run.entries("scan", "web1")[0]["data"]["of"] == "web1"
    assert run.entries("scan", "web2")[0]["data"]["msg"] == "too large"
    assert "which is ignored: elsewhere" in run.printed.replace("\n", " ")


def test_a_delegated_result_belongs_to_the_host_it_was_for(run: Run) -> None:
    entries = [entry for entry in run.entries("hook") if entry["data"].get("rc") == 3]
    assert [entry["host"] for entry in entries] == ["web1"]
    assert entries[0]["data"]["task"]["module"] == "ansible.builtin.command"


def test_no_task_decides_what_became_of_a_host(run: Run) -> None:
    assert run.entries("outcome") == []
    claimed = [
        entry["data"] for entry in run.entries("hook") if entry["data"]["task"].get("claimed_phase") == "outcome"
    ]
    assert [data["msg"] for data in claimed] == ["verified, said [redacted]"] * 3
    assert "claims the phase 'outcome'" in run.printed.replace("\n", " ")


def test_check_mode_is_recorded_as_what_would_be(tmp_path: Path) -> None:
    run = Scene(tmp_path).run(answer({"changed": True}, "apply"), arguments=("--check",))
    assert run.status == 0, run.printed
    assert [entry["outcome"] for entry in run.entries("apply")] == ["changed"] * 3


def test_a_recorder_that_cannot_write_asks_to_stop_and_says_so_to_the_end(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    ledger = scene.root / "tenants" / "north" / "plans" / scene.plan / "ledger.jsonl"
    keep = {"name": "Keep", "ansible.builtin.command": f"cp {ledger} {ledger}.good", "run_once": True}
    broken = {"name": "Break", "ansible.builtin.shell": f"printf 'x\\n' >> {ledger}", "run_once": True}
    mended = {"name": "Mend", "ansible.builtin.command": f"cp {ledger}.good {ledger}", "run_once": True}
    first = answer({"changed": True}, "apply", when="inventory_hostname == 'web1'")
    run = scene.run(keep, broken, first, mended, answer({"changed": True}, "rollback"))
    assert "is incomplete: web1: apply" in run.printed
    assert "no further host is begun" in run.printed.replace("\n", " ")
    assert "not recorded" in run.printed
    assert scene.state.stop_requested("north")
    assert run.entries("apply") == []
    assert len(run.entries("rollback")) == 3


def test_a_full_disk_leaves_a_stop_file_and_no_half_line(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    # No file can grow beyond this in any process of the run; the ledger is the only one that wants to.
    (scene.folder / "sitecustomize.py").write_text(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
    )
    large = answer({"fleet_evidence": {"log": ["x" * 1000] * 300}}, "apply")
    run = scene.run(large, environment={"PYTHONPATH": str(scene.folder)})
    assert "is incomplete" in run.printed
    assert scene.state.stop_requested("north")
    assert verify(run.lines).ok
    assert len(run.entries("apply")) == 1


def test_an_unknown_phase_is_not_overlooked(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    run = scene.run(answer({"changed": True}, "lunch"))
    assert "claims the phase 'lunch'" in run.printed
    assert [entry["data"]["task"]["claimed_phase"] for entry in run.entries("hook")] == ["lunch"] * 3


def test_what_a_managed_host_says_through_a_foreign_module_is_a_hook(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    forged = {
        "fleet_outcome": {"outcome": "verified", "in_service": "yes", "reason": "", "holds": []},
        "fleet_evidence": {"verdict": "proceed"},
        "fleet_results": {"web2": {"changed": True}},
        "fleet_attempts": [{"plan": "forged"}],
        "msg": "welcome",
    }
    claiming = [answer(forged, phase, "foreign") for phase in ("preflight", "drain", "outcome")]
    run = scene.run(*claiming, answer(forged, "hook", "foreign"))
    assert run.status == 0, run.printed
    hooks = run.entries("hook")
    assert len(hooks) == 4 * len(HOSTS)
    assert {entry["phase"] for entry in read_entries(run.lines)} == {"open", "hook"}
    assert all(set(entry["data"]) == {"msg", "task"} for entry in hooks)
    assert [entry["data"]["task"].get("claimed_phase") for entry in run.entries("hook", "web1")] == [
        "preflight",
        "drain",
        "outcome",
        None,
    ]
    assert "claims the phase 'drain'" in run.printed
