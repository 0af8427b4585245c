# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""host_reboot, on a host in memory: no reboot without the guards and an intent, and none believed without proof."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.bankops.fleet.plugins.action import host_reboot
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Intent, Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase

CHECKS = [{"type": "http", "url": "http://127.0.0.1/"}, {"type": "etcd", "endpoints": ["http://kv1:2379"]}]
WHOLE = {"checks": [{"name": "etcd", "ok": True, "detail": "3 of 3 members"}]}


class Host:
    """A host whose boot id is the kernel's of its outer machine, as in a container: only process 1 starts anew."""

    def __init__(self, *, away_for: int = 2, comes_back: bool = True, refuses: str = "") -> None:
        self.start = 100
        self.away_for = away_for
        self.comes_back = comes_back
        self.refuses = refuses
        self.log: list[str] = []
        self._away = 0

    def execute(self, command: str) -> dict[str, Any]:
        if self._away:
            self._away -= 1 if self.comes_back else 0
            raise AnsibleConnectionFailure("no route to host")
        if command == host_reboot.PROOF:
            return {"rc": 0, "stdout": f"d0c5 {self.start}\n", "stderr": ""}
        assert command == host_reboot.REBOOT
        if self.refuses:
            return {"rc": 1, "stdout": "", "stderr": self.refuses}
        self.log.append("reboot")
        self.start += 50
        self._away = self.away_for
        # The connection drops before the answer, as it does on real hosts.
        raise AnsibleConnectionFailure("closed by remote host")


class Permit:
    """What the guards allow; ``refusal`` is what they hold against it, ``begun`` is of an earlier attempt."""

    host = "web1"

    def __init__(self, log: list[str], refusal: FleetError | None, begun: Intent | None) -> None:
        self.document = {"policy": {"reboot_timeout": 5, "verify_timeout": 3, "health_checks": CHECKS}}
        self.progress = Progress(unfinished={"web1": [begun]} if begun else {})
        self._log = log
        self._refusal = refusal

    def require(self, phase: Phase) -> None:
        if self._refusal:
            raise self._refusal
        self._log.append(f"requires {phase.value}")

    def note_intent(self, phase: Phase, data: dict[str, Any]) -> None:
        self._log.append(f"intent to {phase.value} from {data['boot']}")


def run(
    monkeypatch: pytest.MonkeyPatch,
    host: Host,
    *,
    check_mode: bool = False,
    refusal: FleetError | None = None,
    timeout: float | None = None,
    begun: Intent | None = None,
    cluster: dict[str, Any] = WHOLE,
) -> dict[str, Any]:
    """The action's result on ``host``, for which no time passes while it waits."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(host_reboot, "time", mock.Mock(monotonic=lambda: now[0], sleep=sleep))
    task = mock.Mock(check_mode=check_mode)
    action = host_reboot.ActionModule(task, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    monkeypatch.setattr(action, "_low_level_execute_command", host.execute)

    def look(module: str, given: dict[str, Any], _variables: object) -> dict[str, Any]:
        assert (module, given) == ("bankops.fleet.host_state_info", {"checks": CHECKS[1:], "timeout": 3})
        return cluster

    monkeypatch.setattr(action, "on_target", look)
    monkeypatch.setattr(action, "permit", lambda _plan, _variables: Permit(host.log, refusal, begun))
    return action.act({"plan": "0" * 64, "timeout": timeout}, {})


def test_the_intent_comes_before_the_reboot_and_the_proof_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    result = run(monkeypatch, host)
    assert host.log == ["requires preflight", "intent to reboot from d0c5 100", "reboot"]
    assert (result["changed"], result["before"], result["after"]) == (True, "d0c5 100", "d0c5 150")
    assert result["fleet_evidence"]["after"] == "d0c5 150"


@pytest.mark.parametrize(
    "cluster",
    [
        {"checks": [{"name": "etcd", "ok": False, "detail": "2 of 3"}]},
        {"failed": True, "msg": "no answer"},
        {"checks": []},
    ],
    ids=["ill", "failed", "silent"],
)
def test_a_member_is_not_rebooted_that_its_cluster_may_not_do_without(
    monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any]
) -> None:
    host = Host()
    with pytest.raises(FleetError) as refused:
        run(monkeypatch, host, cluster=cluster)
    assert (refused.value.kind, host.log) == ("cluster_unwell", ["requires preflight"])


def test_check_mode_reboots_nothing_and_says_that_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    assert run(monkeypatch, host, check_mode=True)["changed"] is True
    assert host.log == ["requires preflight"]


def test_a_guard_that_refuses_keeps_the_host_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    with pytest.raises(FleetError, match="no preflight"):
        run(monkeypatch, host, refusal=FleetError("no preflight", kind="step_missing"))
    assert host.log == []


@pytest.mark.parametrize("host", [Host(comes_back=False), Host(away_for=50)], ids=["gone", "too slow"])
def test_a_host_that_does_not_come_back_in_time_has_failed(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    result = run(monkeypatch, host)
    assert (result["failed"], result["fleet_unreachable"]) == (True, True)
    assert result["fleet_failure"]["kind"] == "reboot_timeout"
    assert "within 5 s" in result["msg"]


def test_the_time_limit_of_the_task_is_stronger_than_the_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, Host(away_for=50), timeout=200)["after"] == "d0c5 150"


def test_a_refused_reboot_is_told_with_the_hosts_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FleetError, match="inhibited by backup") as caught:
        run(monkeypatch, Host(refuses="inhibited by backup"))
    assert caught.value.kind == "reboot_refused"
    assert "console" in caught.value.remedy


def intent(boot: str | None) -> Intent:
    """What an earlier attempt wrote before it wanted to reboot the host, or do something else with it."""
    if boot is None:
        return Intent(Phase.APPLY, 1, {})
    return Intent(Phase.REBOOT, 1, {"boot": boot})


def test_a_reboot_that_an_earlier_attempt_began_and_that_has_happened_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host()
    result = run(monkeypatch, host, begun=intent("d0c5 50"))
    assert host.log == ["requires preflight"]
    assert (result["changed"], result["before"], result["after"]) == (True, "d0c5 50", "d0c5 100")
    assert result["fleet_evidence"] == {"before": "d0c5 50", "after": "d0c5 100", "seconds": None}


@pytest.mark.parametrize("boot", ["d0c5 100", None], ids=["never happened", "never begun"])
def test_a_reboot_that_has_not_happened_is_made(monkeypatch: pytest.MonkeyPatch, boot: str | None) -> None:
    host = Host()
    assert run(monkeypatch, host, begun=intent(boot))["after"] == "d0c5 150"
    assert host.log[-1] == "reboot"
