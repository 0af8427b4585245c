# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends the reports of plans to their destinations, and records how that went. Runs on the controller alone."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible.errors import AnsibleError

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, choose_plans
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.deliver import Patience, deliver
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import (
    Destination,
    read_destinations,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import Parcel, parcels, read_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import (
    Delivery,
    facts_of,
    reached_before,
    read_deliveries,
    record_delivery,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

CREDENTIALS = "report_credentials"


@dataclass(frozen=True)
class _Post:
    """A parcel with the plan it belongs to, and the targets that do not have it yet."""

    book: Book
    parcel: Parcel
    left: tuple[str, ...]


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "part": {"type": "str", "choices": ["look", "send"], "default": "send"},
        "destinations": {"type": "list", "elements": "dict", "required": True},
        "reports": {"type": "dict", "default": {}},
        "briefs": {"type": "dict", "default": {}},
        "retries": {"type": "int", "default": 3},
        "delay": {"type": "int", "default": 20},
        "timeout": {"type": "int", "default": 30},
        "force": {"type": "bool", "default": False},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        self._refuse_remote()
        state = self.state(variables)
        # Read here, so that no argument of a task holds a secret.
        credentials = self.variable(variables, CREDENTIALS, {})
        destinations = read_destinations(arguments["destinations"], credentials, state.tenants())
        chosen = choose_plans(state, cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"])
        _refuse_two_plans(chosen)
        if arguments["part"] == "look":
            return self._looked(destinations, chosen)
        if self._task.check_mode and not arguments["reports"]:
            return self._would_send(destinations, chosen)
        posts, failures = [], []
        for tenant, plan in chosen:
            try:
                posts += list(_posts(state, tenant, plan, destinations, arguments))
            except FleetError as problem:
                # The reports of one tenant keep nobody else from theirs.
                failures.append(f"{tenant}: {printable(problem.message)}")
        if self._task.check_mode:
            self.show([f"would be sent: {_shown(post.parcel)} to {_named(post.left)}" for post in posts if post.left])
            return {"changed": False, "deliveries": [], **_judged(failures)}
        deliveries, more = self._send(posts, arguments, variables)
        return {"changed": False, "deliveries": deliveries, **_judged([*failures, *more])}

    def _refuse_remote(self) -> None:
        """A task that is not delegated would run the modules, credentials and all, on a managed host."""
        if self._connection.transport != "local":
            raise FleetError(
                "Reports are sent by the controller, and this task is for a host.",
                kind="not_on_controller",
                remedy="Write delegate_to: localhost.",
            )

    def _looked(self, destinations: tuple[Destination, ...], chosen: list[tuple[str, str]]) -> dict[str, t.Any]:
        tenants = [tenant for tenant, _plan in chosen]
        left_out = [tenant for tenant in tenants if not any(destination.takes(tenant) for destination in destinations)]
        self.show([f"{tenant}: no destination takes its reports" for tenant in left_out])
        wanted = {form for destination in destinations for form in destination.formats}
        return {"changed": False, "formats": sorted(wanted), "tenants": tenants, "without_destination": left_out}

    def _would_send(self, destinations: tuple[Destination, ...], chosen: list[tuple[str, str]]) -> dict[str, t.Any]:
        """What can be said when no report was made, as in check mode."""
        for tenant, _plan in chosen:
            for destination in destinations:
                if destination.takes(tenant):
                    when = " if there is trouble" if destination.on_trouble_only else ""
                    self.show([f"would be sent{when}: {tenant} to {destination.name} ({destination.kind})"])
        return {"changed": False, "deliveries": []}

    def _send(
        self, posts: list[_Post], arguments: dict[str, t.Any], variables: dict[str, t.Any]
    ) -> tuple[list[dict[str, t.Any]], list[str]]:
        """The deliveries, and what went wrong; one that fails keeps no other from being tried."""
        patience = Patience(arguments["retries"], arguments["delay"], arguments["timeout"])
        known = self.secrets(variables)
        deliveries: list[dict[str, t.Any]] = []
        failures: list[str] = []
        for post in posts:
            if not post.left:
                self.show([f"sent before: {_shown(post.parcel)}"])
                continue
            delivery = deliver(
                post.parcel,
                post.left,
                run=lambda module, given: self._run_module(module, given, variables),
                patience=patience,
                sleep=time.sleep,
                secrets=known | post.parcel.destination.secrets,
            )
            problem, recorded = _record(post.book, delivery)
            deliveries.append({"tenant": post.book.tenant, **delivery.as_data(), **recorded})
            found = [*_failures(delivery), *problem]
            failures += found
            self.show(found or [f"sent: {_shown(post.parcel)} to {_named(delivery.reached)}"])
        return deliveries, failures

    def _run_module(self, module: str, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> Mapping[str, t.Any]:
        """Run a module on the controller. Its arguments hold secrets: the system's log gets nothing of them."""
        logged, self._task.no_log = self._task.no_log, True
        try:
            return self.on_target(module, arguments, variables)
        except AnsibleError as problem:
            # The collection is not installed, for one.
            return {"failed": True, "msg": str(problem)}
        finally:
            self._task.no_log = logged


def _refuse_two_plans(chosen: list[tuple[str, str]]) -> None:
    tenants = [tenant for tenant, _plan in chosen]
    twice = sorted({tenant for tenant in tenants if tenants.count(tenant) > 1})
    if twice:
        raise FleetError(
            f"Two plans of {', '.join(twice)} were named, and a report that is sent is that of one.",
            kind="bad_plans",
            remedy="Send them one after the other.",
        )


def _posts(
    state: State, tenant: str, plan: str, destinations: tuple[Destination, ...], arguments: Mapping[str, t.Any]
) -> Iterator[_Post]:
    """What of a tenant is due. Raises FleetError when its reports are not there, or not its own."""
    if not any(destination.takes(tenant) for destination in destinations):
        return
    if tenant not in arguments["reports"] or tenant not in arguments["briefs"]:
        raise FleetError("its reports were not made", kind="report_missing")
    book = Book(state, tenant, plan, state.get_plan(tenant, plan))
    facts, before = facts_of(state, tenant, plan), read_deliveries(state, tenant, plan)
    files, brief = arguments["reports"][tenant], arguments["briefs"][tenant]
    reports = read_reports(tenant, plan, book.head["cycle"], files, brief, facts)
    for parcel in parcels(reports, destinations):
        done = frozenset[str]() if arguments["force"] else reached_before(before, parcel)
        yield _Post(book, parcel, tuple(target for target in parcel.targets if target not in done))


def _record(book: Book, delivery: Delivery) -> tuple[list[str], dict[str, t.Any]]:
    """What is wrong with the record, and what the result says of it. The others are sent all the same."""
    try:
        return [], {"in_ledger": record_delivery(book, delivery)}
    except (FleetError, OSError) as problem:
        said = problem.message if isinstance(problem, FleetError) else str(problem)
        return [f"{_shown(delivery.parcel)}: cannot be recorded: {printable(said)}"], {"in_ledger": False}


def _failures(delivery: Delivery) -> list[str]:
    tries = f" ({delivery.tries} tries)" if delivery.tries > 1 else ""
    return [
        f"{_shown(delivery.parcel)}: not delivered to {target}{tries}: {why}"
        for target, why in delivery.refused.items()
    ]


def _shown(parcel: Parcel) -> str:
    return f"{parcel.reports.tenant}: {parcel.destination.name} ({parcel.destination.kind})"


def _named(targets: tuple[str, ...]) -> str:
    return ", ".join(targets)


def _judged(failures: list[str]) -> dict[str, t.Any]:
    """What a result says of failures, in words and for programs."""
    if not failures:
        return {}
    said = FleetError(
        "Not everything was delivered:\n" + "\n".join(failures),
        kind="delivery_failed",
        remedy="Run this again when the cause is gone: what was delivered is not sent again.",
        data={"failures": failures},
    )
    return {**said.as_result(), "failed": True, "msg": f"{said.message}\n{said.remedy}"}
