# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Freezes a plan for each tenant from what the hosts of the play registered. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import living_lease
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Attempt
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import read_provenance
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.freeze import FrozenPlan, ScannedHost, freeze_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.packing import unpacker
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.policy import Policy
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.population import left_out, look_at_population
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.ticket import planned_ticket_gate, ticket_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.plan_summary import put_summary
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

REGISTERED = "fleet_scan"


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "cycle": {"type": "str", "required": True},
        "tenants": {"type": "list", "elements": "str", "default": []},
        "replace": {"type": "bool", "default": False},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        cycle, state = arguments["cycle"], self.state(variables)
        scans = _Noted(variables["hostvars"], REGISTERED)
        policies = self.policies(cycle, {**variables, "hostvars": scans})
        tenants = sorted({policy.tenant for policy in policies.values()})
        unknown = sorted(set(arguments["tenants"]) - set(tenants))
        if unknown:
            raise FleetError(
                f"patch_tenants: no host of the play belongs to {', '.join(unknown)}.",
                kind="no_tenant",
                remedy=f"The tenants are {', '.join(tenants)}.",
            )
        wanted = [tenant for tenant in tenants if tenant in (arguments["tenants"] or tenants)]
        replaced = [book for tenant in wanted for book in begun_plans(state, tenant, cycle)]
        for book in replaced:
            refuse_begun(book, datetime.now(timezone.utc), replace=arguments["replace"])
        if self._task.check_mode:
            return {"changed": False, "plans": [], "msg": f"A plan would be made for {', '.join(wanted)}."}
        result = self._freeze(state, cycle, wanted, policies, scans.noted, variables)
        for book in replaced:
            successor = next(plan["plan"] for plan in result["plans"] if plan["tenant"] == book.tenant)
            book.write(0, None, Phase.PLAN, EntryOutcome.CHANGED, {"replaced_by": successor})
        return result

    def _freeze(
        self,
        state: State,
        cycle: str,
        tenants: list[str],
        policies: dict[str, Policy],
        scans: dict[str, t.Any],
        variables: dict[str, t.Any],
    ) -> dict[str, t.Any]:
        provenance = read_provenance(Path.cwd())
        groups = self.variable(variables, "groups")
        plans: list[dict[str, str]] = []
        unpack = unpacker()
        for tenant in tenants:
            own = {host: policy for host, policy in sorted(policies.items()) if policy.tenant == tenant}
            incomplete = [policy.incomplete for policy in own.values()]
            ticket = ticket_of(self.variable(variables, "patch_ticket"), tenant)
            frozen = freeze_plan(
                state,
                tenant=tenant,
                cycle=cycle,
                hosts=(as_scanned(host, policy, scans.get(host), unpack) for host, policy in own.items()),
                created=datetime.now(timezone.utc),
                revision=str(provenance["revision"]),
                source=self.inventory_sources(variables),
                query=self._query(variables),
                left_out=left_out(groups, tenant, partial(_tenant, variables["hostvars"])),
                bystanders=self._bystanders(tenant, cycle, policies, variables),
                population=look_at_population(state, tenant, incomplete=incomplete, inventory=groups["all"]),
                ticket=planned_ticket_gate(next(iter(own.values())).as_data(), ticket),
            )
            self._record(state, frozen, provenance)
            lines, path = put_summary(state, frozen.facts)
            plans.append({"tenant": tenant, "plan": frozen.plan, "summary": str(path)})
            self.show([*lines, f"details: {path}", ""])
        state.put_cycle(cycle, [{"tenant": plan["tenant"], "plan": plan["plan"]} for plan in plans])
        # A workflow of AWX hands it on, so that its approval node speaks of these plans and no others.
        artifacts = {"fleet_plans": {plan["tenant"]: plan["plan"] for plan in plans}}
        stats = {"data": artifacts, "per_host": False, "aggregate": True}
        return {"changed": False, "plans": plans, "ansible_stats": stats}

    def _query(self, variables: dict[str, t.Any]) -> dict[str, str | None]:
        """What found the population, so that an auditor can ask the inventory the same again."""
        limit = variables.get("ansible_limit")
        return {
            "inventory": self.inventory_sources(variables),
            "hosts": str(self.variable(variables, "fleet_hosts", "fleet")),
            "limit": None if limit is None else str(limit),
        }

    def _bystanders(
        self, tenant: str, cycle: str, policies: dict[str, Policy], variables: dict[str, t.Any]
    ) -> list[Policy]:
        """The tenant's hosts outside --limit: not planned, but members of their clusters all the same."""
        if not variables.get("ansible_limit"):
            return []
        hosts = self.variable(variables, "groups").get("fleet", [])
        outside = [host for host in hosts if host not in policies]
        others = self.policies_of(outside, cycle, variables) if outside else {}
        return [policy for policy in others.values() if policy.tenant == tenant]

    def _record(self, state: State, frozen: FrozenPlan, provenance: dict[str, t.Any]) -> None:
        decisions = [entry["decision"] for entry in frozen.head["hosts"].values()]
        counts = {decision: decisions.count(decision) for decision in sorted(set(decisions))}
        book = Book(state, frozen.head["tenant"], frozen.plan, dict(frozen.head))
        book.write(0, None, Phase.PLAN, EntryOutcome.OK, {"decisions": counts, "provenance": provenance})


class _Noted:
    """The variables of hosts, of which one is noted in passing: to read them all once more is a tenth of planning."""

    def __init__(self, hostvars: t.Any, name: str) -> None:
        self._hostvars, self._name = hostvars, name
        self.noted: dict[str, t.Any] = {}

    def raw_get(self, host: str) -> t.Any:
        raw = self._hostvars.raw_get(host)
        self.noted[host] = raw.get(self._name)
        return raw

    def __getitem__(self, host: str) -> t.Any:
        return self._hostvars[host]


def _tenant(hostvars: t.Any, host: str) -> t.Any:
    """The tenant that the inventory says; of a host that is not planned it is not evaluated."""
    return hostvars.raw_get(host).get("fleet_tenant")


def as_scanned(
    host: str, policy: Policy, result: dict[str, t.Any] | None, unpack: Callable[[t.Any], dict[str, t.Any]]
) -> ScannedHost:
    """What a host's registered scan says, as the plan wants it."""
    if result is None:
        return ScannedHost(host, policy, None, failure="it was not scanned")
    if result.get("fleet_unreachable") or result.get("unreachable"):
        return ScannedHost(host, policy, None, reachable=False, failure=str(result.get("msg", "")))
    if result.get("failed"):
        return ScannedHost(host, policy, None, failure=str(result.get("msg", "the scan failed")))
    if "packed" not in result:
        return ScannedHost(host, policy, result)
    try:
        return ScannedHost(host, policy, unpack(result["packed"]))
    except ValueError as problem:
        return ScannedHost(host, policy, None, failure=str(problem))


def begun_plans(state: State, tenant: str, cycle: str) -> list[Book]:
    """The tenant's plan of this cycle, when changes under it have begun."""
    try:
        plans = state.get_cycle(cycle)["plans"]
    except FleetError as problem:
        if problem.kind == "cycle_missing":
            return []
        raise
    books = [
        Book(state, tenant, entry["plan"], state.get_plan(tenant, entry["plan"]))
        for entry in plans
        if entry["tenant"] == tenant
    ]
    return [book for book in books if any(_applies(attempt) for attempt in book.progress().attempts)]


def refuse_begun(book: Book, now: datetime, *, replace: bool) -> None:
    """Raise FleetError (``plan_begun``, ``attempt_running``) unless the plan may be replaced by a new one."""
    attempt, cycle = book.progress().current, book.head["cycle"]
    if attempt:
        lives = living_lease(book.state, book.tenant, attempt.owner, now) is not None
        raise FleetError(
            f"Attempt {attempt.number} ({attempt.purpose}) on plan {book.plan[:16]} of tenant {book.tenant} is "
            + ("at work." if lives else "open, and its process does not live."),
            kind="attempt_running",
            remedy="Wait for its end."
            if lives
            else f"Run patch_{attempt.purpose}.yml again, which resumes its hosts; where that cannot be, close it by "
            "bankops.fleet.patch_attempt state=abandoned.",
        )
    if not replace:
        raise FleetError(
            f"Tenant {book.tenant} has plan {book.plan[:16]} in cycle {cycle}, and it is being applied.",
            kind="plan_begun",
            remedy="Go on with patch_apply.yml. Where that cannot be (expired, budget spent), see that every host is "
            "in service, then say -e patch_replace=true, or plan an emergency cycle "
            f"({cycle.partition('-e')[0]}-e1).",
        )


def _applies(attempt: Attempt) -> bool:
    return attempt.purpose == "apply" and not attempt.check_mode
