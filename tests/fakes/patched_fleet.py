# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A patch cycle without a fleet: this very collection, but that its modules return what they are told to.

The playbook has the shape of patch_apply.yml: an attempt is opened, hosts go through their change batch by batch, and
the attempt is closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY

PLAN = "1a2b3c4d5e6f7a8b" + "0" * 48

# Returns its arguments and those in ``more`` as its result; phases are gone through first, as a host on its way does.
ANSWER = """
import time

from ansible.plugins.action import ActionBase
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.announcements import announce

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        given = {**super().run(tmp, task_vars), **self._task.args}
        for phase in given.pop("phases", []):
            announce(task_vars["inventory_hostname"], phase)
            time.sleep(given.get("seconds_of_a_phase", 0))
        return {**given, **given.pop("more", {})}
"""

MODULES = ("patch_attempt", "patch_batch", "patch_host", "updates_stage")


def verified(**more: Any) -> dict[str, Any]:
    """What ``patch_host`` returns of a host that came out well."""
    outcome = {"outcome": "verified", "in_service": "yes", "reason": "", "holds": []}
    return {"changed": True, "proceed": False, "msg": "verified", "outcome": {**outcome, **more}}


def failed(reason: str, **failure: str) -> dict[str, Any]:
    """The same of one that did not."""
    failures = [{"step": "verify", "msg": "", "remedy": "", "log": "", **failure}] if failure else []
    return {**verified(outcome="failed", in_service="no", reason=reason), "failures": failures}


def decided(outcome: str, in_service: str = "yes", reason: str = "") -> dict[str, str]:
    """What the closing of an attempt says of a host."""
    return {"outcome": outcome, "in_service": in_service, "reason": reason}


class PatchedFleet:
    """A folder in which ``ansible-playbook -i inventory.ini play.json`` runs the cycle.

    ``waves`` maps each wave to its batches, ``results`` a host to what ``patch_host`` returns of it.
    """

    def __init__(self, folder: Path, waves: Mapping[str, list[list[str]]], results: Mapping[str, Any]) -> None:
        self.folder = folder
        self.hosts = [host for batches in waves.values() for batch in batches for host in batch]
        self._waves = waves
        self._results = {host: results.get(host, verified()) for host in self.hosts}
        shadow = folder / "collections" / "ansible_collections" / "bankops" / "fleet"
        (shadow / "plugins" / "action").mkdir(parents=True)
        for module in MODULES:
            (shadow / "plugins" / "action" / f"{module}.py").write_text(ANSWER)
        for name in ("callback", "module_utils", "plugin_utils"):
            (shadow / "plugins" / name).symlink_to(REPOSITORY / "plugins" / name)
        for name in ("galaxy.yml", "meta"):
            (shadow / name).symlink_to(REPOSITORY / name)
        inventory: dict[str, Any] = {"fleet": {"hosts": {host: {} for host in self.hosts}}}
        (folder / "inventory.yml").write_text(
            json.dumps({"all": {"vars": {"ansible_connection": "local"}, "children": inventory}})
        )
        (folder / "group_vars").mkdir()
        (folder / "group_vars" / "all.json").write_text(json.dumps({"results": self._results}))

    def write_play(self, *tasks: dict[str, Any], phases: list[str] | None = None, seconds: float = 0) -> None:
        """Write ``play.json``: the cycle, with these tasks for every host before its change."""
        batches = [(wave, number, batch) for wave, all_ in self._waves.items() for number, batch in enumerate(all_, 1)]
        opening = {
            "plan": PLAN,
            "attempt": 1,
            "tenant": "north",
            "cycle": "2026-11",
            "state_dir": str(self.folder / "state"),
            "owner": "this run",
            "hosts": self.hosts,
            "outlook": {
                "purpose": "apply",
                "population": len(self.hosts),
                "before": {},
                "spent": [],
                "max_failed": 2,
                "batches": [
                    {"wave": wave, "batch": number, "of": len(self._waves[wave]), "hosts": dict.fromkeys(batch, 60)}
                    for wave, number, batch in batches
                ],
            },
        }
        closing = {"waiting": [], "hosts": {host: self._final(host) for host in self.hosts}}
        once = {"run_once": True, "delegate_to": "localhost"}
        change = {
            "name": "Take the host through its change",
            "bankops.fleet.patch_host": {
                "more": "{{ results[inventory_hostname] }}",
                "phases": phases or [],
                "seconds_of_a_phase": seconds,
            },
        }
        begin = {"name": "Ask whether the batch may start", "bankops.fleet.patch_batch": {"proceed": True}}
        plays = [
            {
                "name": "Open an attempt that applies",
                "hosts": "fleet",
                "gather_facts": False,
                "tasks": [{"name": "Open", "bankops.fleet.patch_attempt": {"fleet_attempts": [opening]}, **once}],
            },
            {
                "name": "Patch the fleet",
                "hosts": self.hosts,
                "serial": [len(batch) for _wave, _number, batch in batches],
                "gather_facts": False,
                "tasks": [{**begin, "run_once": True}, *tasks, change],
            },
            {
                "name": "Close the attempt",
                "hosts": "fleet",
                "gather_facts": False,
                "tasks": [{"name": "Close", "bankops.fleet.patch_attempt": {"tenants": {"north": closing}}, **once}],
            },
        ]
        (self.folder / "play.json").write_text(json.dumps(plays))

    def _final(self, host: str) -> dict[str, Any]:
        outcome = self._results[host]["outcome"]
        return decided(outcome["outcome"], outcome["in_service"], outcome["reason"])
