# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reboots a host under a plan, and proves it by the boot id, or by the start of process 1 on a shared kernel."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.guard import Permit
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import Phase

# One line: the kernel's boot id, and field 22 (start time) of process 1.
PROOF = "echo $(cat /proc/sys/kernel/random/boot_id) $(cut -d' ' -f22 /proc/1/stat)"
REBOOT = "systemctl --no-block reboot"
POLL_SECONDS = 2.0
QUORUM = "etcd"
"""The type of health checks that speak for a whole cluster."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "plan": {"type": "str", "required": True},
        "timeout": {"type": "float"},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        permit = self.permit(arguments["plan"], variables)
        permit.require(Phase.PREFLIGHT)
        if self._task.check_mode:
            return {"changed": True, "msg": "The host would be rebooted."}
        timeout = arguments["timeout"] or permit.document["policy"]["reboot_timeout"]
        before = self._proof()
        earlier = permit.progress.began(permit.host, Phase.REBOOT)
        if earlier and earlier.data.get("boot") not in (None, before):
            # An earlier attempt ended while the host was rebooting: it has, and is not made to again.
            evidence = {"before": earlier.data["boot"], "after": before, "seconds": None}
            return {"changed": True, "fleet_evidence": evidence, **evidence}
        self._require_whole_cluster(permit, variables)
        permit.note_intent(Phase.REBOOT, {"boot": before})
        begun = time.monotonic()
        self._send_reboot()
        after = self._wait_for_change(before, begun + timeout)
        if after is None:
            late = FleetError(
                f"The host has not come back from its reboot within {timeout:g} s.",
                kind="reboot_timeout",
                remedy="Look at its console.",
            )
            return {**late.as_result(), "failed": True, "fleet_unreachable": True}
        seconds = round(time.monotonic() - begun, 1)
        evidence = {"before": before, "after": after, "seconds": seconds}
        return {"changed": True, "fleet_evidence": evidence, **evidence}

    def _require_whole_cluster(self, permit: Permit, variables: dict[str, t.Any]) -> None:
        """Another member may have fallen ill since the preflight, and a reboot now would take the quorum.

        Raises FleetError of kind ``cluster_unwell``.
        """
        policy = permit.document["policy"]
        checks = [check for check in policy["health_checks"] if check["type"] == QUORUM]
        if not checks:
            return
        wanted = {"checks": checks, "timeout": policy["verify_timeout"]}
        answer = self.on_target("bankops.fleet.host_state_info", wanted, variables)
        ill = [f"{found['name']}: {found['detail']}" for found in answer.get("checks", []) if not found["ok"]]
        if ill or len(answer.get("checks", [])) != len(checks):
            raise FleetError(
                "The host is not rebooted, for its cluster may not do without it: "
                f"{'; '.join(ill) or answer.get('msg', 'it is not known')}",
                kind="cluster_unwell",
                remedy="Mend the other members, then make a new plan.",
            )

    def _proof(self) -> str:
        answer = self._low_level_execute_command(PROOF)
        proof = str(answer["stdout"]).strip()
        if answer["rc"] != 0 or len(proof.split()) != 2:
            raise FleetError(
                f"The start of the host's boot cannot be read: {answer['stderr'] or proof}",
                kind="boot_unknown",
                remedy="Without it a reboot cannot be proven; see that /proc is mounted.",
            )
        return proof

    def _send_reboot(self) -> None:
        try:
            answer = self._low_level_execute_command(REBOOT)
        except AnsibleConnectionFailure:
            # The host was faster than its answer.
            return
        if answer["rc"] not in (0, 255):
            raise FleetError(
                f"systemctl reboot failed: {answer['stderr']}",
                kind="reboot_refused",
                remedy="See why on its console; then make a new plan.",
            )

    def _wait_for_change(self, before: str, deadline: float) -> str | None:
        """The new proof, or None when the deadline passes."""
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            try:
                self.reset_connection()
                now = self._proof()
            except (AnsibleConnectionFailure, FleetError):
                continue
            if now != before:
                return now
        return None

    def unreachable(self, problem: AnsibleConnectionFailure) -> dict[str, t.Any]:
        return {**super().unreachable(problem), "changed": False}
