# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan with a ledger, written through the real state, as the plays would."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress, read_progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import build_entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.collect import collect
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document, ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats import html
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.model import Report
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState

BEGIN = datetime(2026, 11, 21, 2, 0, tzinfo=timezone.utc)
PROVENANCE = {
    "user": "deploy",
    "sudo_user": None,
    "host": "controller",
    "revision": "5f0c6f0f9a3d4c1b8e7d2a6b5c4f3e2d1c0b9a88",
    "dirty": False,
    "ansible_core": "2.19.14",
    "collection": "0.1.0",
    "awx_job": None,
}
OPENSSL = ("openssl", "3.0.15-1~deb12u1", "3.0.17-1~deb12u3", ["CVE-2024-9143", "CVE-2025-9230"])
NGINX = ("nginx", "1.22.1-9", "1.22.1-9+deb12u3", ["CVE-2025-23419"])
RSYSLOG = ("rsyslog", "8.2302.0-1", "8.2302.0-1+deb12u1", "unknown")


class Book:
    """Writes a plan and then its ledger, with a clock that the test moves."""

    def __init__(self, root: Path) -> None:
        self.state = FolderState(root)
        self.now = BEGIN
        self.plan = ""
        self.attempt = 0

    def freeze(
        self,
        hosts: dict[str, dict[str, Any]],
        batches: list[list[str]],
        *,
        holds: list[dict[str, Any]] | None = None,
        left: list[tuple[str, str, str]] | None = None,
        overrides: list[dict[str, Any]] | None = None,
        gates: list[dict[str, Any]] | None = None,
        approval: str = "signature",
    ) -> None:
        """Publish a plan. ``hosts`` maps names to what differs from a host that is patched with ``updates``."""
        entries: dict[str, Any] = {}
        with self.state.write_plan("north") as writer:
            for host, said in hosts.items():
                updates = said.pop("updates", [])
                document = _document(host, updates, holds or [], left or [])
                document["policy"]["approval"] = approval
                document["policy"]["overrides"] += overrides or []
                document["gates"] += gates or []
                entries[host] = {
                    "digest": writer.put_host(host, document),
                    "wave": "canary",
                    "cluster": None,
                    "decision": "patch",
                    "reason": "",
                    "updates": len(updates),
                    **said,
                }
            self.plan = writer.finish(
                {
                    "format": 1,
                    "tenant": "north",
                    "cycle": "2026-11",
                    "created": "2026-11-20T09:00:00Z",
                    "expires": "2026-11-27T09:00:00Z",
                    "policy_digest": "c" * 64,
                    "revision": PROVENANCE["revision"],
                    "waves": [{"name": "canary", "soak_minutes": 0, "batches": batches}],
                    "limits": {"max_failed": 1, "cluster_max_down": {}},
                    "hosts": entries,
                }
            )

    def open(self, purpose: str = "apply", **changes: Any) -> None:
        """Open the next attempt."""
        self.attempt += 1
        opening = {
            "purpose": purpose,
            "controller": "controller",
            "process": 1,
            "check_mode": False,
            "batches": [],
            "limit": None,
            "provenance": PROVENANCE,
            **changes,
        }
        self.write(None, Phase.OPEN, EntryOutcome.OK, {"opening": opening})
        self.write(None, Phase.OPEN, EntryOutcome.OK, {"recorder": {"pid": 1, "callback": "0.1.0"}})

    def close(self) -> None:
        """Close the attempt."""
        self.write(None, Phase.CLOSE, EntryOutcome.OK, {"counts": {}})

    def write(
        self,
        host: str | None,
        phase: Phase,
        outcome: EntryOutcome | HostOutcome,
        data: dict[str, Any],
        seconds: float = 1.0,
    ) -> None:
        """Append an entry ``seconds`` after the one before."""
        self.now += timedelta(seconds=seconds)
        self.state.append(
            "north",
            self.plan,
            lambda last: build_entry(
                last,
                plan=self.plan,
                attempt=self.attempt,
                cycle="2026-11",
                tenant="north",
                host=host,
                phase=phase,
                outcome=outcome,
                data=data,
                time=self.now,
            ),
        )

    def stage(self, host: str, cves: dict[str, list[str]]) -> None:
        """A host that was staged."""
        self.write(
            host, Phase.STAGE, EntryOutcome.CHANGED, {"cves": cves, "rollback": {"possible": True, "cannot": []}}
        )

    def patch(self, host: str, updates: list[Any], outcome: HostOutcome = HostOutcome.VERIFIED, **decided: Any) -> None:
        """A host's way through the change to its outcome."""
        before = {f"{name}:amd64": old for name, old, _new, _cves in updates}
        after = {f"{name}:amd64": new for name, _old, new, _cves in updates}
        preflight = {"verdict": "proceed", "appeared": [], "task": {"seconds": 2.0}}
        self.write(host, Phase.PREFLIGHT, EntryOutcome.OK, preflight, 3)
        self.write(host, Phase.DRAIN, EntryOutcome.INTENT, {})
        self.write(host, Phase.DRAIN, EntryOutcome.CHANGED, {})
        self.write(host, Phase.APPLY, EntryOutcome.INTENT, {})
        self.write(host, Phase.APPLY, EntryOutcome.CHANGED, {"before": before, "after": after}, 20)
        if outcome is HostOutcome.ROLLED_BACK:
            self.write(host, Phase.VERIFY, EntryOutcome.FAILED, {"settled": False}, 5)
            self.write(host, Phase.ROLLBACK, EntryOutcome.CHANGED, {"before": after, "after": before}, 10)
        self.write(host, Phase.REBOOT, EntryOutcome.CHANGED, {}, 10)
        self.write(host, Phase.VERIFY, EntryOutcome.OK, {"settled": True}, 4)
        if outcome is not HostOutcome.FAILED:
            self.write(host, Phase.RETURN, EntryOutcome.CHANGED, {}, 2)
        self.judge(host, outcome, **decided)

    def judge(self, host: str, outcome: HostOutcome, in_service: str = "yes", reason: str = "") -> None:
        """A host's outcome."""
        self.write(host, Phase.OUTCOME, outcome, {"in_service": in_service, "reason": reason, "holds": []})

    def report(self, **arguments: Any) -> Report:
        """What is reported now."""
        return collect(self.state, "north", self.plan, **arguments)

    def document(self, **arguments: Any) -> Document:
        """The document of this plan, as every format gets it."""
        wanted = Wanted(ScopeKind.PLAN, ("north",), plan=self.plan)
        return build(self.state, wanted, self.now + timedelta(hours=1), **arguments)

    def page(self, **arguments: Any) -> str:
        """The same as a page."""
        return html.render(self.document(**arguments))

    def progress(self) -> Progress:
        """What the guards read of the same ledger."""
        return read_progress(self.state.entries("north", self.plan))


def _document(host: str, updates: list[Any], holds: list[Any], left: list[tuple[str, str, str]]) -> dict[str, Any]:
    known = {"arch": "amd64", "is_security": True, "severity": "important"}
    return {
        "format": 1,
        "host": host,
        "estimated_seconds": 60,
        "state_digest": "d" * 64,
        "holds": holds,
        "gates": [],
        "policy": {"overrides": []},
        "transaction": [
            {"name": name, "arch": "amd64", "action": "upgrade", "installed": old, "candidate": new}
            for name, old, new, _cves in updates
        ],
        "pending": [
            {**known, "name": name, "candidate": new, "cves": cves, "selected": True, "reason": ""}
            for name, _old, new, cves in updates
        ]
        + [
            {**known, "name": name, "candidate": version, "cves": "unknown", "selected": False, "reason": reason}
            for name, version, reason in left
        ],
    }


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


@pytest.fixture
def mixed(book: Book) -> Book:
    """A cycle in which everything happened once."""
    everything = [NGINX, OPENSSL, RSYSLOG]
    book.freeze(
        {
            "web1": {"updates": everything},
            "web2": {"updates": everything},
            "web3": {"updates": everything},
            "kv1": {"updates": [OPENSSL]},
            "kv2": {"updates": [OPENSSL]},
            "app1": {"decision": "unchanged", "reason": "no update is pending"},
            "old1": {"decision": "skipped", "reason": "the host has neither apt nor dnf"},
        },
        [["web1", "kv1"], ["web2", "kv2"], ["web3"]],
        holds=[
            {
                "package": "postgresql*",
                "owner": "database team",
                "reason": "the major upgrade is planned for January",
                "expires": "2027-01-31",
                "expired": False,
                "updates": ["postgresql-15"],
            }
        ],
        left=[
            ("postgresql-15", "15.14-0+deb12u1", "held"),
            ("libxml2", "2.9.14+dfsg-1.3~deb12u4", "too_young"),
            ("tzdata", "2025b-0+deb12u2", "not_security"),
        ],
    )
    book.write(None, Phase.PLAN, EntryOutcome.OK, {"decisions": {}, "provenance": PROVENANCE})
    book.open("stage")
    for host in ("web1", "web2", "web3"):
        book.stage(host, {"rsyslog": ["CVE-2022-24903"]})
    book.close()
    book.open(provenance={**PROVENANCE, "sudo_user": "operator", "dirty": True, "awx_job": "4711"})
    book.judge("app1", HostOutcome.UNCHANGED, reason="no update is pending")
    book.judge("old1", HostOutcome.SKIPPED, reason="the host has neither apt nor dnf")
    book.patch("web1", everything)
    book.patch("kv1", [OPENSSL])
    book.patch("web2", everything, HostOutcome.ROLLED_BACK, reason="verify: unit nginx.service is failed")
    book.patch("kv2", [OPENSSL], HostOutcome.FAILED, in_service="no", reason="return to service: not up after 60 s")
    book.judge("web3", HostOutcome.NOT_ATTEMPTED, reason="the failure budget is spent: 1 hosts may fail")
    book.close()
    return book
