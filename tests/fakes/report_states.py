# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""States with patched fleets in them, for tests and measurements of reports: real plans, real ledgers, any size.

Hosts of one kind have the same updates before them, and of each fifteen hosts every outcome occurs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import build_entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import pending

KINDS = 40
PACKAGES = 400
OUTCOMES = {
    1: HostOutcome.UNCHANGED,
    2: HostOutcome.SKIPPED,
    3: HostOutcome.NOT_ATTEMPTED,
    4: HostOutcome.UNREACHABLE,
    5: HostOutcome.ROLLED_BACK,
    6: HostOutcome.FAILED,
}
"""Of those that are not verified, by their place among fifteen."""

CLOUDS = ("aws", "azure", "onprem")
AGES = (3, 20, 45, 120)
SEVERITIES = ("critical", "important", "moderate", "low", "unknown")
PROVENANCE = {
    "user": "deploy",
    "host": "controller1",
    "revision": "0f3c2d1",
    "dirty": False,
    "ansible_core": "2.19.1",
    "collection": "1.0.0",
}


def put_cycle(
    root: Path, tenant: str, cycle: str, *, hosts: int = 30, updates: int = 5, created: datetime | None = None
) -> str:
    """Put a plan that was applied into the state below ``root``; return its digest."""
    made = created or datetime(int(cycle[:4]), int(cycle[5:7]), 11, 8, tzinfo=timezone.utc)
    fleet = _Fleet(tenant, cycle, hosts, updates, made)
    state = FolderState(root)
    with state.write_plan(tenant) as writer:
        entries = {host: fleet.entry(n, writer.put_host(host, fleet.document(n))) for n, host in enumerate(fleet.names)}
        plan = writer.finish(fleet.head(entries))
    state.put_cycle(cycle, [{"tenant": tenant, "plan": plan}])
    # Written at once: to append a hundred thousand entries one by one, each safe on disk, takes minutes.
    ledger = root / "tenants" / tenant / "plans" / plan / "ledger.jsonl"
    with ledger.open("wb") as file:
        for line in fleet.lines(plan):
            file.write(line + b"\n")
    return plan


class _Fleet:
    def __init__(self, tenant: str, cycle: str, hosts: int, updates: int, created: datetime) -> None:
        self._tenant, self._cycle, self._created = tenant, cycle, created
        self.names = [f"{tenant}-host{n:05}" for n in range(hosts)]
        chance = random.Random(4711)  # noqa: S311  not for secrets: the same fleet every time
        kinds = [sorted(chance.sample(range(max(PACKAGES, updates)), updates)) for _kind in range(KINDS)]
        self._kinds = [[_change(n) for n in kind] for kind in kinds]

    def _outcome(self, n: int) -> HostOutcome:
        return OUTCOMES.get(n % 15, HostOutcome.VERIFIED)

    def _changes(self, n: int) -> list[dict[str, Any]]:
        return [] if self._outcome(n) is HostOutcome.UNCHANGED else self._kinds[n % KINDS]

    def document(self, n: int) -> dict[str, Any]:
        """The document of a host; one that was unreachable was not scanned either."""
        scanned = self._outcome(n) is not HostOutcome.UNREACHABLE
        changes = self._changes(n) if scanned else []
        gates = [{"name": "identity", "verdict": "pass", "evidence": f"machine id {n}"}]
        if self._outcome(n) is HostOutcome.SKIPPED:
            gates.append({"name": "removals", "verdict": "block", "evidence": "the transaction removes libssl1.1"})
        return {
            "format": 1,
            "host": self.names[n],
            "tenant": self._tenant,
            "identity": {"machine_id": f"{n:032x}", "instance_id": "unknown"},
            "placement": {"cloud": CLOUDS[n % 3], "region": "unknown", "environment": "production"},
            "manager": "apt" if scanned else None,
            "exactness": "version",
            "selection": {"classes": "security", "include": [], "exclude": [], "held": [], "aged": None},
            "transaction": changes,
            "pending": [self._pending(change) for change in changes],
            "holds": [],
            "waivers": [],
            "gates": gates if scanned else [],
            "policy": {"overrides": [], "service_levels": dict.fromkeys(SEVERITIES, 30)},
            "state_digest": "d" * 64 if scanned else None,
            "estimated_seconds": 60,
        }

    def _pending(self, change: Mapping[str, Any]) -> dict[str, Any]:
        number = int(change["name"].rpartition("-")[2])
        seen = self._created.date() - timedelta(days=AGES[number % 4])
        cves: Any = [f"CVE-2026-{1000 + number}"] if number % 10 else "unknown"
        return {
            **pending(dict(change), severity=SEVERITIES[number % 5], cves=cves),
            "first_seen": seen.isoformat(),
        }

    def entry(self, n: int, digest: str) -> dict[str, Any]:
        """A host in the head of the plan."""
        decision = {
            HostOutcome.UNCHANGED: "unchanged",
            HostOutcome.SKIPPED: "skipped",
            HostOutcome.UNREACHABLE: "unreachable",
        }.get(self._outcome(n), "patch")
        reason = "" if decision == "patch" else f"why it is {decision}"
        updates = len(self._changes(n)) if decision != "unreachable" else 0
        place = {"wave": "canary" if n < 5 else "broad", "cluster": None}
        return {"digest": digest, "decision": decision, "reason": reason, "updates": updates, **place}

    def head(self, entries: dict[str, Any]) -> dict[str, Any]:
        """The head of the plan."""
        patched = [host for host, entry in entries.items() if entry["decision"] == "patch"]
        canary = [host for host in patched if entries[host]["wave"] == "canary"]
        broad = [host for host in patched if entries[host]["wave"] == "broad"]
        batches = [broad[first : first + 500] for first in range(0, len(broad), 500)]
        return {
            "format": 1,
            "tenant": self._tenant,
            "cycle": self._cycle,
            "created": _moment(self._created),
            "expires": _moment(self._created + timedelta(days=7)),
            "policy_digest": "c" * 64,
            "revision": PROVENANCE["revision"],
            "query": {"inventory": "inventories/production", "hosts": "fleet", "limit": None},
            "waves": [
                {"name": "canary", "soak_minutes": 0, "batches": [canary]},
                {"name": "broad", "soak_minutes": 0, "batches": batches},
            ],
            "limits": {"max_failed": len(entries), "cluster_max_down": {}},
            "hosts": entries,
            "missing": [],
        }

    def lines(self, plan: str) -> Iterator[bytes]:
        """The ledger: staged, approved, applied and closed, a second for each entry."""
        last: bytes | None = None
        for seconds, (attempt, host, phase, outcome, data) in enumerate(self._entries(plan)):
            last = build_entry(
                last,
                plan=plan,
                attempt=attempt,
                cycle=self._cycle,
                tenant=self._tenant,
                host=host,
                phase=phase,
                outcome=outcome,
                data=data,
                time=self._created + timedelta(days=3, seconds=seconds),
            )
            yield last

    def _entries(self, plan: str) -> Iterator[tuple[int, str | None, Phase, Any, dict[str, Any]]]:
        ok = EntryOutcome.OK
        yield 0, None, Phase.PLAN, ok, {"decisions": {}, "provenance": PROVENANCE}
        approved = {"created": _moment(self._created), "expires": _moment(self._created + timedelta(days=7))}
        said = {
            "how": "signature",
            "purpose": "apply",
            "approver": "approver",
            "approver_key": "SHA256:abc",
            **approved,
        }
        yield 0, None, Phase.APPROVE, ok, {"approval": said}
        yield 1, None, Phase.OPEN, ok, {"opening": self._opening("stage")}
        for n, host in enumerate(self.names):
            if self._outcome(n) is HostOutcome.VERIFIED:
                yield 1, host, Phase.STAGE, EntryOutcome.CHANGED, {"cves": {}, "rollback": {"cannot": []}}
        yield 1, None, Phase.CLOSE, ok, {}
        signed = {"executor": {"principal": "operator", "fingerprint": "SHA256:def"}, "ticket": "CHG-1"}
        yield 2, None, Phase.OPEN, ok, {"opening": {**self._opening("apply"), **signed}}
        for n, host in enumerate(self.names):
            for phase, outcome, data in self._way(n):
                yield 2, host, phase, outcome, data
        yield 2, None, Phase.CLOSE, ok, {"counts": {}}

    def _opening(self, purpose: str) -> dict[str, Any]:
        fixed = {"controller": "controller1", "process": 1, "check_mode": False, "batches": [], "limit": None}
        return {"purpose": purpose, "provenance": PROVENANCE, **fixed}

    def _way(self, n: int) -> Iterator[tuple[Phase, Any, dict[str, Any]]]:
        outcome = self._outcome(n)
        if outcome in (HostOutcome.VERIFIED, HostOutcome.ROLLED_BACK, HostOutcome.FAILED):
            changes = self._changes(n)
            before = {f"{change['name']}:amd64": change["installed"] for change in changes}
            after = {f"{change['name']}:amd64": change["candidate"] for change in changes}
            yield Phase.PREFLIGHT, EntryOutcome.OK, {"verdict": "proceed", "appeared": []}
            yield Phase.APPLY, EntryOutcome.INTENT, {}
            yield Phase.APPLY, EntryOutcome.CHANGED, {"before": before, "after": after}
            if outcome is HostOutcome.ROLLED_BACK:
                yield Phase.ROLLBACK, EntryOutcome.CHANGED, {"before": after, "after": before}
            settled = outcome is not HostOutcome.FAILED
            yield Phase.VERIFY, EntryOutcome.OK if settled else EntryOutcome.FAILED, {"settled": settled}
        service = {HostOutcome.FAILED: "no", HostOutcome.UNREACHABLE: "unknown"}.get(outcome, "yes")
        reason = "" if outcome is HostOutcome.VERIFIED else f"why it is {outcome.value}"
        yield Phase.OUTCOME, outcome, {"in_service": service, "reason": reason, "holds": []}


def _change(number: int) -> dict[str, Any]:
    return {
        "name": f"library-{number:03}",
        "arch": "amd64",
        "action": "upgrade",
        "installed": f"3.{number}.11-1~deb12u{number % 7}",
        "candidate": f"3.{number}.17-1~deb12u{number % 7 + 1}",
    }


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
