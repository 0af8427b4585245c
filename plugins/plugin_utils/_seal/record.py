# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle records: whether plan, hosts and ledger are what the seal says, and the seal what the ledger says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import Verification, read_line
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text, moment_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import Bundle
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.facts import Facts, is_complete, left_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    HOSTS,
    LEDGER,
    NO_RESULTS,
    PLAN,
    REPORTS,
    SEAL,
    Seal,
    Why,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import encode_host

_SHOWN = 10
"""Problems of a ledger that are listed one by one."""


def read_head(bundle: Bundle) -> dict[str, Any] | None:
    """The head of the plan that was sealed; None where another lies there, or none. Raises OSError and ValueError."""
    if bundle.seal is None or bundle.digests.get(PLAN) != bundle.seal.plan:
        return None
    head: dict[str, Any] = decoded(bundle.read(PLAN))
    return head


def check_plan(bundle: Bundle, seal: Seal, head: Mapping[str, Any] | None) -> Iterator[Finding]:
    """The plan by its digest, its hosts' documents by theirs, and that somebody has made a report of it."""
    if head is None:
        found = bundle.digests.get(PLAN, "none")[:16]
        yield bundle.finding(
            FindingKind.PLAN_CHANGED, f"has the digest {found}, and the seal is of {seal.plan[:16]}", PLAN
        )
        return
    if (head["tenant"], head["cycle"]) != (seal.tenant, seal.cycle):
        what = f"is of tenant {head['tenant']}, cycle {head['cycle']}, and the seal of {seal.tenant}, {seal.cycle}"
        yield bundle.finding(FindingKind.PLAN_CHANGED, what, PLAN)
    for host, entry in head["hosts"].items():
        path = f"{HOSTS}/{encode_host(host)}.json"
        if bundle.digests.get(path) != entry["digest"]:
            what = f"is not the document of {host} that the plan names ({entry['digest'][:16]})"
            yield bundle.finding(FindingKind.HOST_CHANGED, what, path)
    if not any(path.startswith(f"{REPORTS}/") and path not in NO_RESULTS for path in bundle.digests):
        yield bundle.finding(FindingKind.REPORT_MISSING, "nobody has made a report of what became of the plan", REPORTS)


def check_ledger(bundle: Bundle, seal: Seal, checked: Verification) -> Iterator[Finding]:
    """The chain of the ledger, and its length and head as the seal says them."""
    yield from broken(bundle.tenant, bundle.subject, LEDGER, checked)
    if (checked.count, checked.head) != (seal.count, seal.head):
        yield from _other_ledger(bundle, seal, checked)
    elif checked.ok and checked.count:
        (line,) = islice(bundle.lines(LEDGER), 1)
        first = json.loads(line)
        if (first["tenant"], first["plan"], first["cycle"]) != (seal.tenant, seal.plan, seal.cycle):
            what = f"is of plan {str(first['plan'])[:16]} of tenant {first['tenant']}"
            yield bundle.finding(FindingKind.LEDGER_REPLACED, what, LEDGER)


def broken(tenant: str, subject: str, where: str, checked: Verification) -> Iterator[Finding]:
    """What is wrong with the chain of a ledger, one finding for each of the first lines, and one for all others."""
    problems = checked.problems
    for problem in problems[:_SHOWN]:
        yield Finding(FindingKind.LEDGER_BROKEN, tenant, subject, problem, where)
    if len(problems) > _SHOWN:
        more = f"and {len(problems) - _SHOWN} problems more"
        yield Finding(FindingKind.LEDGER_BROKEN, tenant, subject, more, where)


def _other_ledger(bundle: Bundle, seal: Seal, checked: Verification) -> Iterator[Finding]:
    more = checked.count - seal.count
    if more > 0 and _hash_at(bundle.lines(LEDGER), seal.count) == seal.head:
        yield bundle.finding(FindingKind.LEDGER_APPENDED, f"{more} entries were appended after the seal", LEDGER)
    elif more < 0 and checked.ok:
        what = f"the last {-more} of {seal.count} entries are missing, or all were replaced by others"
        yield bundle.finding(FindingKind.LEDGER_CUT, what, LEDGER)
    elif checked.head and checked.head != seal.head:
        what = (
            f"its {checked.count} entries end with {checked.head[:16]}; {seal.count} with {seal.head[:16]} were sealed"
        )
        yield bundle.finding(FindingKind.LEDGER_REPLACED, what, LEDGER)


def _hash_at(lines: Iterable[bytes], number: int) -> str:
    for count, line in enumerate(lines, start=1):
        if count == number:
            entry = read_line(line)
            return str(entry.get("hash")) if isinstance(entry, dict) else ""
    return ""


def check_facts(bundle: Bundle, seal: Seal, head: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """What the seal says of hosts, attempts, its time and the reason, against the ledger."""
    if facts.hosts != seal.hosts:
        what = f"the seal says of the hosts {_counts(seal.hosts)}, and the ledger {_counts(facts.hosts)}"
        yield bundle.finding(FindingKind.FACTS_DIFFER, what, SEAL)
    if facts.attempts != seal.attempts:
        what = (
            f"the seal names {len(seal.attempts)} attempts otherwise than the ledger, which has {len(facts.attempts)}"
        )
        yield bundle.finding(FindingKind.FACTS_DIFFER, what, SEAL)
    complete = is_complete(facts.progress, left_of(head, facts.progress))
    expired = datetime.fromisoformat(head["expires"]) <= seal.moment
    last = facts.progress.last_line
    # A seal names whole seconds.
    if last and seal.moment < (latest := moment_of(read_line(last)["time"]).replace(microsecond=0)):
        what = f"the seal is dated {seal.sealed}, and the last entry of its ledger {as_text(latest)}"
        yield bundle.finding(FindingKind.FACTS_DIFFER, what, SEAL)
    if facts.progress.current or not (complete if seal.why is Why.COMPLETE else expired):
        yield bundle.finding(FindingKind.FACTS_DIFFER, f"by its ledger the plan was not {seal.why}", SEAL)


def _counts(hosts: Mapping[str, Any]) -> str:
    return ", ".join(f"{hosts[outcome]} {outcome}" for outcome in sorted(hosts) if hosts[outcome]) or "nothing"
