# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A site that plans, approves, applies, reports and seals, with real keys and the real state."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import (
    Book,
    Proof,
    Runner,
    open_attempt,
    open_book,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.closing import close_attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.owner import this_owner
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.approve import make_approval, prepare_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.opening import opening_proof
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.kept import USUAL, put_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal import verification
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.chain import Anchor, read_anchors
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.contents import contents, sums_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.keys import signers_line
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import SEAL, SUMS, Seal, Why, principal_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import Sealed, Sealer, seal_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import verify_evidence
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.tests.fakes.scans import pending

OWNER = this_owner(os.getpid())


def utc_now() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def make_key(folder: Path, name: str) -> Path:
    """A new key pair; the path of its private half."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def _facts(mark: str) -> dict[str, Any]:
    """What a scan found on a host, and what of it is to be changed."""
    change = {"name": f"{mark}openssl", "arch": "amd64", "action": "upgrade", "installed": "3.0", "candidate": "3.1"}
    return {
        "identity": {"machine_id": "0" * 32, "instance_id": "unknown"},
        "placement": {"cloud": "onprem", "region": f"{mark}region", "environment": "production"},
        "manager": "apt",
        "exactness": "version",
        "transaction": [change],
        "pending": [{**pending(change, cves=["CVE-2026-1"]), "first_seen": "2026-01-01"}],
        "holds": [],
        "waivers": [],
        "gates": [{"name": "disk", "verdict": "pass", "evidence": f"{mark}enough"}],
        "state_digest": "d" * 64,
        "estimated_seconds": 60,
    }


def put_seal(book: Book) -> None:
    """Close a plan of a tenant without any seal, as far as a state and reports look: nobody has signed it."""
    ledger = verify(book.state.entries(book.tenant, book.plan))
    seal = Seal(
        tenant=book.tenant,
        number=1,
        plan=book.plan,
        cycle=book.head["cycle"],
        why=Why.EXPIRED,
        sealed="2026-11-20T00:00:00Z",
        sealed_by=principal_of(book.tenant),
        hosts={},
        attempts=[],
        count=ledger.count,
        head=ledger.head,
        previous=None,
    )
    sums = sums_of(contents(book.state, book.tenant, book.plan, {}))
    book.state.put_seal(book.tenant, 1, {SEAL: seal.as_bytes(), SUMS: sums})


class Site:
    """Tenants alpha and beta with a key each; alice approves, bob executes, carol may do both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: State = FolderState(folder / "state")
        self.bundles = folder / "bundles"
        people = ("alice", "bob", "carol", "mallory", "alpha", "beta")
        folder.mkdir(exist_ok=True)
        self.keys = {name: make_key(folder, name) for name in people}
        self.people = folder / "people"
        allowed = {"alice": ("approval",), "bob": ("attempt",), "carol": ("approval", "attempt")}
        self.people.write_text("".join(self._line(name, namespaces) for name, namespaces in allowed.items()))
        self.signers = folder / "allowed_signers"
        self.signers.write_text("".join(signers_line(tenant, self.keys[tenant]) for tenant in ("alpha", "beta")))

    def _line(self, name: str, namespaces: Iterable[str]) -> str:
        words = ",".join(f"bankops-fleet-{namespace}" for namespace in namespaces)
        return f'{name} namespaces="{words}" {self.keys[name].with_suffix(".pub").read_text()}'

    def policy(self, approval: str = "signature") -> dict[str, Any]:
        """What is frozen in the plan about approvals."""
        return {
            "approval": approval,
            "approval_signers": str(self.people),
            "approval_hours": 72,
            "hooks": {},
            "overrides": [],
            "service_levels": {},
        }

    def freeze(
        self,
        tenant: str = "alpha",
        cycle: str = "2026-11",
        *,
        hosts: Iterable[str] = ("web1", "web2"),
        expires: timedelta = timedelta(hours=1),
        approval: str = "signature",
        mark: str = "",
        decisions: Mapping[str, str] | None = None,
    ) -> Book:
        """A plan of a cycle, whose documents and names hold ``mark``; ``decisions`` are of hosts that it leaves."""
        names = [f"{mark}{host}" for host in hosts]
        with self.state.write_plan(tenant) as writer:
            entries = {}
            for name in names:
                document = {"format": 1, "host": name, "tenant": tenant, **_facts(mark)}
                digest = writer.put_host(name, {**document, "policy": self.policy(approval)})
                decision = (decisions or {}).get(name, "patch")
                entry = {"wave": "all", "cluster": None, "decision": decision, "reason": mark, "updates": 1}
                entries[name] = {"digest": digest, **entry}
            plan = writer.finish(
                {
                    "format": 1,
                    "tenant": tenant,
                    "cycle": cycle,
                    "created": f"{utc_now():%Y-%m-%dT%H:%M:%SZ}",
                    "expires": f"{utc_now() + expires:%Y-%m-%dT%H:%M:%SZ}",
                    "policy_digest": "c" * 64,
                    "revision": "0f3c2d1",
                    "query": {"inventory": f"{mark}inventory", "hosts": "fleet", "limit": None},
                    "missing": [],
                    "waves": [{"name": "all", "soak_minutes": 0, "batches": [names]}],
                    "limits": {"max_failed": 0, "cluster_max_down": {}},
                    "hosts": entries,
                }
            )
        self.state.put_cycle(cycle, [{"tenant": tenant, "plan": plan}])
        book = open_book(self.state, tenant, plan)
        book.write(0, None, Phase.PLAN, EntryOutcome.OK, {"hosts": len(names), "reason": mark})
        return book

    def approve(self, book: Book, who: str = "alice", purpose: str = "apply") -> None:
        """An approval, signed."""
        key, now = self.keys[who], utc_now()
        statement = prepare_approval(book, book.policy, purpose=purpose, key=key, now=now)
        make_approval(book, book.policy, statement, key=key, now=now)

    def open(
        self,
        book: Book,
        who: str = "bob",
        *,
        purpose: str = "apply",
        process: int = 0,
        proof: Mapping[str, Any] | None = None,
    ) -> Attempt:
        """An attempt whose opening is signed, if the plan wants that, by this process or another."""
        process = process or os.getpid()
        number = (book.progress().attempts or [Attempt(0, "", "", 0, utc_now(), [], False)])[-1].number + 1
        proof = proof or opening_proof(
            book.policy,
            plan=book.plan,
            tenant=book.tenant,
            attempt=number,
            purpose=purpose,
            opened=utc_now(),
            key=self.keys[who],
            environment={},
        )
        provenance = {"host": "controller", "user": who}
        return open_attempt(
            book,
            purpose=purpose,
            runner=Runner(process, provenance, False, this_owner(process)),
            inventory=set(book.head["hosts"]),
            limit=None,
            now=datetime.now(timezone.utc),
            proof=Proof(number, proof),
        )

    def begin(self, book: Book, attempt: Attempt, host: str) -> None:
        """The intent to change a host."""
        book.write(attempt.number, host, Phase.APPLY, EntryOutcome.INTENT, {})

    def finish(self, book: Book, attempt: Attempt, host: str, outcome: HostOutcome = HostOutcome.VERIFIED) -> None:
        """A host's outcome."""
        data = {"in_service": "yes", "reason": book.head["hosts"][host]["reason"], "holds": []}
        book.write(attempt.number, host, Phase.OUTCOME, outcome, data)

    def apply(self, book: Book, who: str = "bob", *, proof: Mapping[str, Any] | None = None) -> None:
        """An attempt that takes every host to its end."""
        attempt = self.open(book, who, proof=proof)
        for host in book.head["hosts"]:
            self.begin(book, attempt, host)
            self.finish(book, attempt, host)
        close_attempt(book, attempt, now_missing="the end came first")

    def report(self, book: Book) -> None:
        """A summary of the plan, and a report of its result."""
        for name in ("summary.md", "report.html"):
            self.state.put_report(book.tenant, book.plan, name, f"<p>{', '.join(book.head['hosts'])}</p>\n".encode())

    def report_in_full(self, book: Book) -> None:
        """The report of its result as patch_report.yml makes it, in all formats."""
        wanted = Wanted(ScopeKind.PLAN, (book.tenant,), plan=book.plan)
        put_reports(self.state, book.tenant, book.plan, build(self.state, wanted, utc_now()), USUAL)

    def patched(self, tenant: str = "alpha", cycle: str = "2026-11", **how: Any) -> Book:
        """A plan that was approved, applied and reported."""
        book = self.freeze(tenant, cycle, **how)
        self.approve(book)
        self.apply(book)
        self.report(book)
        return book

    def sealer(self, tenant: str, key: str = "", signers: Path | None = None) -> Sealer:
        """Who seals a tenant's plans."""
        return Sealer(str(self.keys[key or tenant]), signers, self.bundles, OWNER)

    def seal(self, book: Book, **how: Any) -> Sealed:
        """Seal a plan."""
        return seal_plan(self.state, book.tenant, book.plan, self.sealer(book.tenant, **how), utc_now())

    def history(self, tenant: str = "alpha", months: Iterable[str] = ("2026-09", "2026-10", "2026-11")) -> list[Sealed]:
        """A sealed plan a month."""
        return [self.seal(self.patched(tenant, month)) for month in months]

    def verify(self, folder: Path | None = None, *, state: bool = False, **wanted: Any) -> list[Finding]:
        """What an auditor finds."""
        judged: dict[str, Any] = {"signers": self.signers, "approval_signers": None, "anchors": [], "tenants": []}
        complete: Mapping[str, Any] = {**judged, "until": None, "now": utc_now(), **wanted}
        found = verify_evidence(folder or self.bundles, self.state if state else None, verification.Wanted(**complete))
        return list(found.findings)

    def anchors(self, given: list[dict[str, Any]]) -> list[Anchor]:
        """Anchors as a user gives them."""
        return read_anchors(given)
