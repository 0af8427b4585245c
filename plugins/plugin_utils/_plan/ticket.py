# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ticket of the change: whether there is one, and whether it looks like one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, gate
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show


def ticket_of(given: Any, tenant: str) -> str | None:
    """The id that ``patch_ticket`` gives to a tenant: text for all of them, or a mapping by tenant.

    Raises FleetError of kind ``bad_ticket``.
    """
    found = given.get(tenant) if isinstance(given, Mapping) else given
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, (str, int)):
        raise FleetError(
            f"patch_ticket: {show(found)} is no id of a ticket.",
            kind="bad_ticket",
            remedy="Give one id for all, or a mapping of tenants to ids.",
        )
    return str(found)


def ticket_gate(policy: Mapping[str, Any], ticket: str | None) -> Gate:
    """The gate ``ticket`` when a plan is applied; ``policy`` is ``Policy.as_data()``."""
    wanted = policy["change_ticket"]
    if wanted is None:
        return gate("ticket", Verdict.PASS, "none is needed")
    if ticket is None:
        return gate("ticket", Verdict.BLOCK, "none was given; say -e patch_ticket=<id>")
    if not re.fullmatch(wanted["pattern"], ticket):
        evidence = f"{show(ticket)} is not of the form {show(wanted['pattern'])}"
        return gate("ticket", Verdict.BLOCK, evidence)
    return gate("ticket", Verdict.PASS, show(ticket))


def planned_ticket_gate(policy: Mapping[str, Any], ticket: str | None) -> Gate:
    """The gate ``ticket`` of a plan: a ticket that is not there yet may come until it is applied."""
    if policy["change_ticket"] is not None and ticket is None:
        return gate("ticket", Verdict.PASS, "asked for when the plan is applied")
    return ticket_gate(policy, ticket)
