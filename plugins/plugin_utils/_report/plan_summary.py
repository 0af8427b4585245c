# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a plan, for the console and as ``summary.md`` beside it, with the CVEs that staging has found."""

from __future__ import annotations

from typing import cast

from ansible_collections.bankops.fleet.plugins.plugin_utils._collector import collector_paused
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.markdown import markdown
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import PlanHead
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import Facts, gather, render_console
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.documents import Documents
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.history import read_history
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import unless_sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State


@collector_paused()
def summarise(state: State, tenant: str, plan: str) -> tuple[list[str], str | None]:
    """The lines for the console, and where the Markdown is; None for a sealed plan, whose own stays as it was sealed.

    Raises FleetError as the state does.
    """
    facts = _facts(state, tenant, plan)
    return unless_sealed(state, tenant, plan, lambda: put_summary(state, facts)) or (render_console(facts), None)


def put_summary(state: State, facts: Facts) -> tuple[list[str], str]:
    """The lines for the console, and where the Markdown is put beside the plan, which is not sealed."""
    path = state.put_report(facts.head["tenant"], facts.plan, "summary.md", markdown(facts).encode())
    return render_console(facts), path


def show(state: State, tenant: str, plan: str) -> list[str]:
    """The lines for the console alone; nothing is written. Every document of the plan is verified on the way."""
    return render_console(_facts(state, tenant, plan))


def _facts(state: State, tenant: str, plan: str) -> Facts:
    head = cast(PlanHead, state.get_plan(tenant, plan))
    documents = Documents(state, tenant, plan, head, read_history(state.entries(tenant, plan)))
    return gather(head, documents, documents.staged_cves)
