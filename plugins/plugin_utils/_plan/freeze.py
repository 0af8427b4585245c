# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezing: from scans and policies to a plan that nothing changes any more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, cast

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import digest
from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._once import Once
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.batches import (
    Group,
    Member,
    Room,
    count_in,
    groups_of,
    make_batches,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.calendar import PlannedCalendar
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import host_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.exceptions import (
    frozen_holds,
    frozen_waivers,
    held_by_manager,
    waiver_gates,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freezes import ReadCalendar, read_calendar
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.gates import MOMENTARY, host_gates, missing_from
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import (
    Decision,
    Gate,
    HostDocument,
    HostEntry,
    LeftOut,
    PlanHead,
    Verdict,
    closed,
    gate,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.overrides import with_overrides
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy, empty_fleet
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import Population
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.selection import selection, update_key
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import Facts, Gathering
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import PlanWriter, State
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import PLAN_FORMAT
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import check_cycle


@dataclass(frozen=True)
class ScannedHost:
    """A host with what ``updates_info`` returned for it, or why it returned nothing."""

    host: str
    policy: Policy
    scan: Mapping[str, Any] | None
    reachable: bool = True
    failure: str = ""


@dataclass(frozen=True)
class FrozenPlan:
    """A published plan: its digest, its head, and what a summary of it says."""

    plan: str
    head: PlanHead
    facts: Facts


@dataclass(frozen=True)
class _Updates:
    """What a document says of the updates before a host. Hosts with the same updates and policy share it."""

    pending: list[dict[str, Any]]
    selection: dict[str, Any]
    holds: list[dict[str, Any]]
    names: list[str]


@dataclass
class _Draft:
    """What is known of the plan while the hosts go by; it grows by a few lines a host, never by a host's updates."""

    today: date
    first_seen: dict[str, str]
    calendar: PlannedCalendar
    gathering: Gathering
    of_the_tenant: list[Gate]
    """Gates that are the same for all hosts."""
    new_keys: set[str] = field(default_factory=set)
    entries: dict[str, HostEntry] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    policy_digests: dict[str, str] = field(default_factory=dict)
    machines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rooms: dict[Group, Room] = field(default_factory=dict)
    updates: Once[_Updates] = field(default_factory=Once)


@collector_paused()
def freeze_plan(
    state: State,
    *,
    tenant: str,
    cycle: str,
    hosts: Iterable[ScannedHost],
    created: datetime,
    revision: str,
    source: str,
    query: dict[str, str | None] | None = None,
    left_out: LeftOut | None = None,
    bystanders: Iterable[Policy] = (),
    population: Population | None = None,
    ticket: Gate | None = None,
    read: ReadCalendar = read_calendar,
) -> FrozenPlan:
    """Decide for every host, put the plan into the state, and record the first-seen dates.

    ``hosts`` may be a generator: each is written and forgotten. ``bystanders`` are the policies of the tenant's hosts
    outside the limit: they are not planned, but count as members of their clusters and backends. ``revision`` is that
    of the playbooks, ``source`` names the inventory; ``query`` (``inventory``, ``hosts``, ``limit``) found the hosts,
    and ``left_out`` are those besides.
    ``population`` and ``ticket`` are the tenant's own gates, ``read`` reads a freeze calendar.

    Raises FleetError: ``empty_fleet``, ``duplicate_host``, ``bad_name``, and those of the state.
    """
    check_cycle(cycle)
    today = created.astimezone(timezone.utc).date()
    of_the_tenant = [found for found in (population and population.gate, ticket) if found]
    calendar = PlannedCalendar(created, read)
    gathering = Gathering(_moment(created))
    draft = _Draft(today, state.first_seen(tenant, (), today), calendar, gathering, of_the_tenant)
    with state.write_plan(tenant) as writer:
        for scanned in hosts:
            _take(draft, writer, scanned, tenant, source)
        if not draft.entries:
            raise empty_fleet(source)
        _refuse_duplicates(draft, source)
        for policy in bystanders:
            count_in(draft.rooms, policy, reachable=True)
        _skip_without_room(draft, writer)
        head = _head(draft, tenant, cycle, created, revision, _missing(draft, population))
        if query is not None:
            head["query"] = query
        if left_out is not None:
            head["left_out"] = left_out
        state.first_seen(tenant, draft.new_keys, today)
        return FrozenPlan(writer.finish(cast("dict[str, Any]", head)), head, gathering.facts(head))


def _take(draft: _Draft, writer: PlanWriter, scanned: ScannedHost, tenant: str, source: str) -> None:
    """Decide about one host by itself, and write its document."""
    host, policy = scanned.host, scanned.policy
    if host in draft.entries:
        raise FleetError(
            f"{source}: {host} appears twice.", kind="duplicate_host", remedy="Leave one of the two in the inventory."
        )
    if policy.tenant != tenant:
        raise ValueError(f"{host} is of tenant {policy.tenant}, and this is a plan of {tenant}.")
    frozen_policy = policy.as_data()
    gates: list[Gate] = []
    seconds = 0
    usable = scanned.scan if _refusal(scanned) is None else None
    if usable is not None:
        seconds = host_seconds(usable["packages"], policy.reboot, bool(_reboot_required(usable["state"])))
        gates = _gates(draft, usable, policy, frozen_policy, seconds)
        if gates[0]["verdict"] == Verdict.PASS:
            draft.machines[usable["state"]["machine_id"]].append(host)
    document = _document(draft, scanned, usable, frozen_policy, gates, seconds)
    draft.gathering.take(document)
    decision, reason = _decide(scanned, document)
    draft.entries[host] = {
        "digest": writer.put_host(host, cast("dict[str, Any]", document)),
        "wave": policy.wave,
        "cluster": policy.cluster,
        "decision": decision.value,
        "reason": reason,
        "updates": len(document["transaction"]),
    }
    draft.policies[host] = policy
    draft.policy_digests[host] = digest(frozen_policy)
    count_in(draft.rooms, policy, reachable=scanned.reachable)


def _gates(
    draft: _Draft, scan: Mapping[str, Any], policy: Policy, frozen_policy: dict[str, Any], seconds: int
) -> list[Gate]:
    """All gates of a host, overridden where the policy does. What changes nothing needs no time to do it."""
    held = [hold.package for hold in policy.holds if hold.holds_on(draft.today)]
    gates = [*host_gates(scan, frozen_policy, held), *waiver_gates(policy.waivers, draft.today), *draft.of_the_tenant]
    if scan["packages"]["transaction"]:
        gates += draft.calendar.gates(frozen_policy, seconds)
    return with_overrides(gates, policy.overrides, draft.today)


def _refusal(scanned: ScannedHost) -> str | None:
    """Why nothing can be planned from the scan; None when it can."""
    if scanned.scan is None:
        return scanned.failure or "the scan returned nothing"
    missing = list(missing_from(scanned.scan))
    if missing:
        return f"the scan is incomplete: {', '.join(missing)}"
    if scanned.scan["packages"]["manager"] is None:
        return "the host has neither apt nor dnf"
    return None


def _decide(scanned: ScannedHost, document: HostDocument) -> tuple[Decision, str]:
    if not scanned.reachable:
        return Decision.UNREACHABLE, scanned.failure or "the host cannot be reached"
    refusal = _refusal(scanned)
    if refusal:
        return Decision.SKIPPED, refusal
    stopped = closed(document["gates"])
    lasting = [found for found in stopped if found["name"] not in MOMENTARY]
    if lasting:
        return Decision.SKIPPED, _reason(lasting)
    if not document["transaction"]:
        left = Counter(str(update["reason"]) for update in document["pending"])
        kinds = ", ".join(f"{count} {reason}" for reason, count in sorted(left.items()))
        return Decision.UNCHANGED, f"no pending update is selected ({kinds})" if kinds else "no update is pending"
    return Decision.PATCH, _reason(stopped)


def _document(
    draft: _Draft,
    scanned: ScannedHost,
    scan: Mapping[str, Any] | None,
    frozen_policy: dict[str, Any],
    gates: list[Gate],
    seconds: int,
) -> HostDocument:
    policy = scanned.policy
    packages: Mapping[str, Any] = scan["packages"] if scan else {"transaction": [], "pending": [], "held": []}
    host_state: Mapping[str, Any] = scan["state"] if scan else {}
    updates = draft.updates.of(
        packages["pending"],
        lambda: _updates(draft, policy, packages["pending"]),
        (policy.classes, policy.include, policy.exclude, policy.holds, policy.minimum_age_days),
    )
    return {
        "format": PLAN_FORMAT,
        "host": scanned.host,
        "tenant": policy.tenant,
        "identity": {"machine_id": host_state.get("machine_id"), "instance_id": policy.instance_id},
        "placement": {
            "cloud": policy.cloud,
            "account": policy.account,
            "region": policy.region,
            "environment": policy.environment,
        },
        "manager": packages.get("manager"),
        "exactness": "version",
        "selection": updates.selection,
        "transaction": packages["transaction"],
        "pending": updates.pending,
        "holds": [*updates.holds, *held_by_manager(updates.names, packages["held"])],
        "waivers": frozen_waivers(policy.waivers, draft.today),
        "gates": gates,
        "policy": frozen_policy,
        "state_digest": digest(host_state) if scan else None,
        "estimated_seconds": seconds,
    }


def _updates(draft: _Draft, policy: Policy, pending: list[Mapping[str, Any]]) -> _Updates:
    dated = [{**update, "first_seen": _first_seen(draft, update_key(update))} for update in pending]
    # The dates of the other updates say nothing about this host.
    chosen = selection(policy, {update_key(each): each["first_seen"] for each in dated}, draft.today)
    names = [update["name"] for update in dated]
    return _Updates(dated, chosen, frozen_holds(policy.holds, names, draft.today), names)


def _reboot_required(host_state: Mapping[str, Any]) -> Any:
    return (host_state.get("reboot") or {}).get("required")


def _first_seen(draft: _Draft, key: str) -> str:
    if key not in draft.first_seen:
        draft.first_seen[key] = draft.today.isoformat()
        draft.new_keys.add(key)
    return draft.first_seen[key]


def _refuse_duplicates(draft: _Draft, source: str) -> None:
    """Two names of one machine would be patched as two members of a cluster, and restarted under each other."""
    twice = [(machine, sorted(names)) for machine, names in draft.machines.items() if len(names) > 1]
    if twice:
        found = "; ".join(f"{' and '.join(names)} have the machine id {machine}" for machine, names in sorted(twice))
        raise FleetError(
            f"{source}: hosts that are the same machine: {found}.",
            kind="duplicate_host",
            remedy="Leave one name of each in the inventory; on cloned machines, run systemd-machine-id-setup.",
            data={"machines": dict(twice)},
        )


def _skip_without_room(draft: _Draft, writer: PlanWriter) -> None:
    """A host of which no batch could be made is not planned; its document says why."""
    for host, entry in draft.entries.items():
        if entry["decision"] != Decision.PATCH:
            continue
        gates = [_no_room(group, draft.rooms[group]) for group in groups_of(draft.policies[host])]
        stopped = [found for found in gates if found]
        if stopped:
            document = writer.get_host(host)
            document["gates"] += stopped
            draft.gathering.take_gates(host, stopped)
            entry["digest"] = writer.put_host(host, document)
            entry["decision"], entry["reason"] = Decision.SKIPPED.value, _reason(stopped)


def _no_room(group: Group, room: Room) -> Gate | None:
    if room.left > 0:
        return None
    if room.unreachable:
        evidence = (
            f"{group.name}: {room.unreachable} of {room.members} hosts cannot be reached and may be out of service, so "
            "no other may be taken out; bring them back, then plan again"
        )
        return gate(group.kind, Verdict.UNKNOWN, evidence)
    evidence = (
        f"{group.name}: it has {room.members} servers and {room.min_healthy} must stay healthy, so none may be taken "
        "out; add a server, or lower patch_load_balancer.min_healthy"
    )
    return gate(group.kind, Verdict.BLOCK, evidence)


def _missing(draft: _Draft, population: Population | None) -> list[str]:
    """Hosts that were planned before and are gone: later plans look for them too, unless somebody answers for it."""
    if population is None:
        return []
    overrides: Sequence[Mapping[str, Any]] = next(iter(draft.policies.values())).overrides
    return population.missing if closed(with_overrides([population.gate], overrides, draft.today)) else []


def _head(draft: _Draft, tenant: str, cycle: str, created: datetime, revision: str, missing: list[str]) -> PlanHead:
    policy = next(iter(draft.policies.values()))
    members = [
        Member(host, entry["wave"], groups_of(draft.policies[host]))
        for host, entry in draft.entries.items()
        if entry["decision"] == Decision.PATCH
    ]
    clusters = {group.name: room.max_down for group, room in draft.rooms.items() if group.kind == "cluster"}
    return {
        "format": PLAN_FORMAT,
        "tenant": tenant,
        "cycle": cycle,
        "created": _moment(created),
        "expires": _moment(created + timedelta(hours=policy.plan_expires_hours)),
        "policy_digest": digest(draft.policy_digests),
        "revision": revision,
        "waves": make_batches(policy.waves, members, {group: room.left for group, room in draft.rooms.items()}),
        "limits": {"max_failed": policy.max_failed, "cluster_max_down": clusters},
        "hosts": draft.entries,
        "missing": missing,
    }


def _reason(gates: list[Gate]) -> str:
    return "; ".join(f"{found['name']}: {found['evidence']}" for found in gates)


def _moment(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
