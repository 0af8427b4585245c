# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history of an invented fleet: the plans of several cycles, of which the last one has what needs attention."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document, Scope, ScopeKind
from ansible_collections.bankops.fleet.tests.fakes.report_documents import document
from ansible_collections.bankops.fleet.tests.fakes.report_figures import CYCLES

Links = dict[str, dict[str, str]]


def history() -> tuple[Document, Links]:
    """The fleet over its cycles, and where the reports and bundles of its plans are."""
    now = document()
    plans, attempts = list(now.plans), list(now.attempts)
    for age, cycle in enumerate(reversed(CYCLES[:-1]), 1):
        for plan in now.plans:
            digest = f"{age}{plan.plan[1:]}"
            began = f"{cycle}-14T22:00:05Z"
            seal = 6 - age
            verdict = f"All is well: {plan.hosts} of {plan.hosts} hosts were patched and verified."
            plans.append(
                replace(
                    plan,
                    cycle=cycle,
                    plan=digest,
                    began=began,
                    ticket=f"{plan.ticket}{age}",
                    state="sealed",
                    sealed=seal,
                    verdict=verdict,
                    troubles=(),
                )
            )
            attempts += [
                replace(attempt, plan=digest, opened=began, closed=began, state="closed", in_order=True)
                for attempt in now.attempts
                if attempt.plan == plan.plan and attempt.state == "closed"
            ]
    links = {
        plan.plan: {"report": f"{plan.cycle}/{plan.tenant}/report.html"}
        | ({"bundle": f"seals/{plan.tenant}/{plan.sealed:04}/"} if plan.sealed else {})
        for plan in plans
    }
    scope = Scope(ScopeKind.FLEET, f"The fleet, cycles {CYCLES[0]} to {CYCLES[-1]}", now.scope.tenants, CYCLES, "")
    return replace(now, scope=scope, plans=tuple(plans), attempts=tuple(attempts)), links
