# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports of an invented fleet, for the tests of formats: the same every time, and consistent in themselves.

Each tenant has the same updates before it, of which one in five is only before hosts that are verified. Of fifteen
hosts in a row nine are verified, one of them with a held package, and each other outcome occurs; so thirty hosts of two
tenants have all there is to show.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    ApprovalRow,
    Approved,
    AttemptRow,
    BatchRow,
    ChangeRow,
    CveRow,
    CveStatus,
    Document,
    ExceptionRow,
    GateRow,
    HostRow,
    InTime,
    OpenUpdate,
    PlanRow,
    Sample,
    Scope,
    ScopeKind,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.sample import METHOD
from ansible_collections.bankops.fleet.tests.fakes.hostile_texts import poisoned
from ansible_collections.bankops.fleet.tests.fakes.report_figures import (
    CYCLE,
    comparison,
    dossier,
    frameworks,
    metrics,
    trend,
)

MADE = "2026-11-15T06:00:00Z"
TENANTS = ("alpha", "beta", "gamma", "delta")
KINDS = ("web", "kv", "db")
CLOUDS = ("aws", "azure", "onprem")
ENVIRONMENTS = ("production", "staging")
PACKAGES = ("openssl", "nginx", "linux-image-amd64", "curl", "sudo")
SEVERITIES = ("critical", "important", "moderate", "low")
EASY = 5
"""One update of so many is only before hosts that are verified, so that its CVEs are closed."""

HELD = 1
"""The number of the update that one host in fifteen keeps back."""

OUTCOMES = {
    1: ("unchanged", "yes", "no update is pending"),
    2: ("skipped", "yes", "manager: dpkg was interrupted, and was not healed"),
    3: ("not_attempted", "yes", "the wave before has not soaked"),
    4: ("unreachable", "unknown", "the host did not answer within 60 seconds"),
    5: ("rolled_back", "yes", "the check http of web failed: status 502"),
    6: ("failed", "no", "its change was begun, and its outcome is not known"),
}
"""The outcomes of hosts that are not verified, by their place among fifteen."""

WELL = ("verified", "unchanged")


@dataclass(frozen=True)
class _Update:
    number: int
    package: str
    before: str
    after: str
    is_security: bool
    severity: str
    cves: tuple[str, ...] | None
    first_seen: str
    days: int


def document(hosts: int = 30, tenants: int = 2, updates: int = 5, hostile: bool = False) -> Document:
    """A report of a cycle, or of the fleet of more tenants than one. ``hostile`` makes its texts attacks."""
    made = _document(hosts, tenants, updates)
    return poisoned(made) if hostile else made


def _document(number: int, tenants: int, updates: int) -> Document:
    names = [TENANTS[n] if n < len(TENANTS) else f"tenant{n + 1}" for n in range(tenants)]
    pending = [_update(n, updates) for n in range(updates)]
    hosts = [host for place, tenant in enumerate(names) for host in _hosts(tenant, place, number, tenants, updates)]
    rows = {tenant: [host for host in hosts if host.tenant == tenant] for tenant in names}
    changes, open_updates, cves = [], [], []
    for tenant in names:
        facts = _Facts(tenant, rows[tenant])
        changes += [change for update in pending for change in facts.changes(update)]
        open_updates += [left for update in pending for left in facts.left(update)]
        cves += [row for update in pending for row in facts.cves(update)]
    counts = Counter(host.outcome for host in hosts)
    approvals = tuple(_approval(tenant) for tenant in names)
    texts = [f"{update.package} {update.before} to {update.after}" for update in pending]
    attention = [host for host in hosts if host.needs_attention]
    figures = tuple(metrics(hosts, open_updates, cves))
    return Document(
        scope=Scope(
            ScopeKind.FLEET if tenants > 1 else ScopeKind.CYCLE,
            f"Cycle {CYCLE} of {'the fleet' if tenants > 1 else names[0]}",
            tuple(names),
            (CYCLE,),
            "inventory inventories/production, hosts matching fleet, limit none",
        ),
        made=MADE,
        collection="1.0.0",
        verdict=f"{len(attention)} of {number} hosts need attention; {counts['verified']} were patched and verified.",
        well=not attention,
        troubles=tuple(f"{host.host}: {host.outcome.replace('_', ' ')}: {host.reason}" for host in attention[:50]),
        plans=tuple(_plan(tenant, place, rows[tenant]) for place, tenant in enumerate(names)),
        hosts=tuple(hosts),
        counts={outcome: counts[outcome] for outcome in sorted(counts)},
        batches=tuple(batch for tenant in names for batch in _batches(tenant, rows[tenant])),
        changes=tuple(changes),
        cves=tuple(cves),
        unknown_cves=sum(update.cves is None for update in pending),
        open_updates=tuple(open_updates),
        exceptions=tuple(row for tenant in names for row in _exceptions(tenant, rows[tenant])),
        gates=tuple(
            GateRow(tenant, _digest(tenant), "manager", "block", OUTCOMES[2][2], False, _of(rows[tenant], "skipped"))
            for tenant in names
        ),
        approvals=approvals,
        attempts=tuple(row for tenant in names for row in _attempts(tenant)),
        metrics=figures,
        trend=tuple(trend(figures)),
        frameworks=frameworks(number),
        comparison=comparison(cves),
        sample=Sample(
            "2026-11",
            METHOD,
            number,
            tuple(dossier(host, changes, approvals, texts) for host in hosts[:: max(1, number // 5)][:5]),
        ),
        user_requests={_digest(names[0]): {"total": 1200, "failed": 0}},
    )


def _update(number: int, of: int) -> _Update:
    """The last is left by the policy; of one in ten nobody knows the CVEs; the days reach over all age buckets."""
    known = number % 10 != 3
    days = (3, 20, 45, 120)[number % 4]
    return _Update(
        number,
        PACKAGES[number] if number < len(PACKAGES) else f"library-{number:03}",
        f"3.{number}.11-1~deb12u1",
        f"3.{number}.17-1~deb12u2",
        number % 5 != 4,
        SEVERITIES[number % 4],
        (f"CVE-2026-{1000 + number}", f"CVE-2026-{3000 + number}")[: 1 + number % 2] if known else None,
        {3: "2026-11-12", 20: "2026-10-26", 45: "2026-10-01", 120: "2026-07-18"}[days],
        days,
    )


def _hosts(tenant: str, place: int, number: int, tenants: int, updates: int) -> Iterator[HostRow]:
    for n in range(number * place // tenants, number * (place + 1) // tenants):
        own = n - number * place // tenants
        outcome, in_service, reason = OUTCOMES.get(own % 15, ("verified", "yes", ""))
        worked = outcome in ("verified", "rolled_back", "failed")
        changed = {"verified": updates - 1 - (own % 15 == 7), "failed": 1}.get(outcome, 0)
        yield HostRow(
            tenant=tenant,
            cycle=CYCLE,
            plan=_digest(tenant),
            host=f"{KINDS[n % 3]}{n + 1}",
            outcome=outcome,
            in_service=in_service,
            reason=reason,
            cloud=CLOUDS[n % 3],
            environment=ENVIRONMENTS[n % 5 // 4],
            region="eu-central-1" if n % 3 == 0 else "unknown",
            cluster=f"{KINDS[n % 3]}-{n // 9}" if n % 3 else "",
            wave="canary" if own < 5 else "broad",
            batch=1 if own < 5 else 1 + (own - 5) // 100,
            scanned=outcome != "unreachable",
            updates={"verified": updates, "unchanged": 0}.get(outcome, updates - len(range(0, updates, EASY))),
            began_change=worked,
            changed=max(0, changed),
            rebooted=outcome == "verified" and n % 2 == 0,
            seconds=40.0 + own % 60 if worked else None,
            away_seconds=25.5 + own % 30 if worked and outcome != "failed" else None,
            needs_attention=outcome not in (*WELL, "not_attempted"),
            notes=("cannot be rolled back: linux-image-amd64",) if worked and own % 4 == 0 else (),
        )


class _Facts:
    """What became of each update of a tenant, from its hosts."""

    def __init__(self, tenant: str, hosts: list[HostRow]) -> None:
        self._tenant = tenant
        self._by = {outcome: _of(hosts, outcome) for outcome in {host.outcome for host in hosts}}
        self._held = tuple(sorted(host.host for host in hosts[7::15]))
        verified = set(self._of("verified"))
        self._free = tuple(sorted(verified.difference(self._held)))

    def _of(self, outcome: str) -> tuple[str, ...]:
        return self._by.get(outcome, ())

    def _done(self, update: _Update) -> tuple[str, ...]:
        if not update.is_security:
            return ()
        return self._free if update.number == HELD else self._of("verified")

    def changes(self, update: _Update) -> Iterator[ChangeRow]:
        rows = [(self._done(update), True)]
        if update.number % EASY:
            rows += [(self._of("rolled_back"), False), (self._of("failed"), update.number == 2)]
        for hosts, changed in rows:
            if hosts and update.is_security:
                yield ChangeRow(
                    tenant=self._tenant,
                    cycle=CYCLE,
                    plan=_digest(self._tenant),
                    package=f"{update.package}:amd64",
                    before=None if update.number == 2 else update.before,
                    after=update.after if changed else (None if update.number == 2 else update.before),
                    changed=changed,
                    is_security=True,
                    severity=update.severity,
                    cves=update.cves,
                    hosts=hosts,
                )

    def left(self, update: _Update) -> Iterator[OpenUpdate]:
        for reason, hosts in self._reasons(update):
            allowed = _allowed(update)
            yield OpenUpdate(
                tenant=self._tenant,
                package=update.package,
                candidate=update.after,
                is_security=update.is_security,
                severity=update.severity,
                cves=update.cves,
                first_seen=update.first_seen,
                days=update.days,
                allowed_days=allowed,
                in_time=_in_time(update.days, allowed),
                reason=reason,
                hosts=hosts,
            )

    def _reasons(self, update: _Update) -> Iterator[tuple[str, tuple[str, ...]]]:
        if not update.is_security:
            yield "not_security", self._of("verified")
        elif update.number == HELD and self._held:
            yield "held", self._held
        if update.number % EASY == 0:
            return
        for outcome in ("failed", "not_attempted", "rolled_back", "skipped", "unreachable"):
            if self._of(outcome):
                yield outcome, self._of(outcome)

    def cves(self, update: _Update) -> Iterator[CveRow]:
        still = tuple(sorted({host for _reason, hosts in self._reasons(update) for host in hosts}))
        done = self._done(update)
        allowed = _allowed(update)
        for cve in update.cves or ():
            yield CveRow(
                tenant=self._tenant,
                cve=cve,
                status=CveStatus.OPEN if still else CveStatus.CLOSED,
                severity=update.severity,
                packages=(update.package,),
                hosts_closed=done,
                hosts_open=still,
                first_seen=update.first_seen,
                closed=None if still else "2026-11-15",
                days=update.days,
                allowed_days=allowed,
                in_time=_in_time(update.days, allowed),
            )


def _allowed(update: _Update) -> int:
    return 30 if update.severity in ("critical", "important") else 90


def _in_time(days: int, allowed: int) -> InTime:
    return InTime.YES if days <= allowed else InTime.NO


def _of(hosts: list[HostRow], outcome: str) -> tuple[str, ...]:
    return tuple(sorted(host.host for host in hosts if host.outcome == outcome))


def _digest(tenant: str) -> str:
    return f"{zlib.crc32(tenant.encode()):08x}" * 8


def _plan(tenant: str, place: int, hosts: list[HostRow]) -> PlanRow:
    attention = sum(host.needs_attention for host in hosts)
    return PlanRow(
        tenant=tenant,
        cycle=CYCLE,
        plan=_digest(tenant),
        created="2026-11-11T08:00:00Z",
        expires="2026-11-18T08:00:00Z",
        began="2026-11-14T22:00:05Z",
        ended="2026-11-15T01:12:40Z",
        revision="0f3c2d1",
        collection="1.0.0",
        ticket=f"CHG-10{place}",
        approver=f"approver-{tenant}",
        executor=f"operator-{tenant}",
        approved_by_another=Approved.YES,
        query="inventory inventories/production, hosts matching fleet, limit none",
        hosts=len(hosts),
        verdict=f"{attention} of {len(hosts)} hosts need attention.",
        state="sealed" if place == 0 else "incomplete",
        sealed=6 if place == 0 else None,
        entries=len(hosts) * 12,
        ledger_head=_digest(tenant)[::-1],
        ledger_ok=True,
        troubles=() if place == 0 else ("attempt 2 (apply) by operator was not closed",),
    )


def _batches(tenant: str, hosts: list[HostRow]) -> Iterator[BatchRow]:
    for wave, number in sorted({(host.wave, host.batch) for host in hosts}, key=lambda key: (key[0] != "canary", key)):
        own = [host for host in hosts if (host.wave, host.batch) == (wave, number)]
        began, ended = "2026-11-14T22:00:05Z", "2026-11-14T22:40:11Z"
        counts = dict(Counter(host.outcome for host in own))
        yield BatchRow(tenant, _digest(tenant), wave, number or 0, len(own), began, ended, counts)


def _exceptions(tenant: str, hosts: list[HostRow]) -> Iterator[ExceptionRow]:
    held, waived = tuple(sorted(host.host for host in hosts[7::15])), _of(hosts, "skipped")
    for kind, subject, ticket, expires, expired, effect, on in (
        ("hold", PACKAGES[HELD], "RISK-7", "2026-12-31", False, "keeps back 1 update", held),
        ("hold", "postgresql*", "RISK-3", "2026-10-31", True, "expired: keeps back nothing", held),
        ("waiver", waived[0] if waived else "none", "RISK-9", "2027-01-31", False, "is not patched", waived[:1]),
        ("override", "disk", "", "2026-11-30", False, "lets through block: /boot has 80 MB free", waived[:1]),
    ):
        yield ExceptionRow(
            tenant, kind, subject, "team-storage", "waits for its vendor", ticket, expires, expired, effect, on
        )


def _approval(tenant: str) -> ApprovalRow:
    return ApprovalRow(
        tenant=tenant,
        plan=_digest(tenant),
        approver=f"approver-{tenant}",
        key="SHA256:dGhpcyBpcyBubyBrZXkgYXQgYWxsLCBidXQgYSBmYWtl",
        how="signature",
        purpose="apply",
        created="2026-11-12T09:30:00Z",
        expires="2026-11-18T08:00:00Z",
    )


def _attempts(tenant: str) -> Iterator[AttemptRow]:
    for number, (purpose, state) in enumerate((("stage", "closed"), ("apply", "incomplete"), ("apply", "closed")), 1):
        yield AttemptRow(
            tenant=tenant,
            plan=_digest(tenant),
            number=number,
            purpose=purpose,
            check_mode=False,
            executor=f"operator-{tenant}",
            executor_key="SHA256:YW5vdGhlciBrZXkgdGhhdCBpcyBub25l",
            who="operator",
            where="controller1",
            job=str(4000 + number),
            revision="0f3c2d1",
            collection="1.0.0",
            ansible_core="2.19.1",
            opened=f"2026-11-14T2{number}:00:00Z",
            closed=None if state == "incomplete" else f"2026-11-14T2{number}:50:00Z",
            state=state,
            in_order=state == "closed",
            begun=0 if purpose == "stage" else 3,
            unapproved=0,
        )
