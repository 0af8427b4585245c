# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the plans that may be approved, and signs approvals of those that are named. Runs on the controller alone."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book, choose_plans, open_book
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.approve import (
    choose_approved,
    make_approval,
    prepare_approval,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.awx import ARTIFACTS
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.check import as_approval, read_approval
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval.statement import PURPOSES
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import as_text
from ansible_collections.bankops.fleet.plugins.plugin_utils._report import plan_summary


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "approve": {"type": "list", "elements": "str", "default": []},
        "key": {"type": "path"},
        "purpose": {"type": "str", "choices": list(PURPOSES), "default": "apply"},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        state = self.state(variables)
        chosen = choose_plans(state, cycle=arguments["cycle"], plans=arguments["plans"], tenants=arguments["tenants"])
        named = choose_approved(arguments["approve"], chosen)
        books = [open_book(state, tenant, plan) for tenant, plan in named or chosen]
        for book in books:
            self.show(plan_summary.show(state, book.tenant, book.plan))
            self.show([f"digest: {book.plan}", *_approvals(book), *(() if named else _how_to(book)), ""])
        if not named:
            return self._shown(books, arguments["purpose"])
        if not arguments["key"]:
            raise FleetError(
                "patch_approve names plans, and patch_approval_key no key.",
                kind="key_unusable",
                remedy="Name your key, e.g. -e patch_approval_key=~/.ssh/id_ed25519.",
            )
        return self._approved(books, Path(arguments["key"]), arguments["purpose"])

    def _shown(self, books: list[Book], purpose: str) -> dict[str, t.Any]:
        """What was shown is left to a workflow of AWX, whose approval node then speaks of these plans."""
        plans = {book.tenant: book.plan for book in books}
        stats = {"data": {ARTIFACTS[purpose]: plans}, "per_host": False, "aggregate": True}
        return {"changed": False, "plans": plans, "approvals": [], "ansible_stats": stats}

    def _approved(self, books: list[Book], key: Path, purpose: str) -> dict[str, t.Any]:
        now = datetime.now(timezone.utc)
        # All are prepared before the first is signed: a plan that cannot be approved leaves the others alone.
        prepared = [(book, prepare_approval(book, book.policy, purpose=purpose, key=key, now=now)) for book in books]
        approvals = []
        for book, statement in prepared:
            until = as_text(statement.expires)
            if self._task.check_mode:
                self.show([f"{statement.approver} would approve plan {book.plan} for {purpose} until {until}."])
                continue
            approval = make_approval(book, book.policy, statement, key=key, now=now)
            self.show([f"{approval.approver} approved plan {book.plan} for {purpose} until {until}."])
            approvals.append({"tenant": book.tenant, "plan": book.plan, **approval.as_data()})
        return {"changed": False, "plans": {book.tenant: book.plan for book in books}, "approvals": approvals}


def _approvals(book: Book) -> Iterator[str]:
    """What is known of the approvals that are there, good or bad."""
    policy, now = book.policy, datetime.now(timezone.utc)
    if policy["approval"] != "signature":
        yield {"none": "approval: none is needed", "awx": "approval: by a node of the workflow in AWX"}[
            policy["approval"]
        ]
        return
    found = book.state.approvals(book.tenant, book.plan)
    if not found:
        yield "approval: none yet"
    for content, signature in found:
        try:
            read = read_approval(content, signature, plan=book.plan, tenant=book.tenant, policy=policy, now=now)
        except FleetError as problem:
            yield f"approval: does not hold: {problem.message}"
        else:
            known = as_approval(*read, policy)
            yield f"approval: {known.approver} ({known.approver_key}) for {known.purpose} until {known.expires}"


def _how_to(book: Book) -> Iterator[str]:
    if book.policy["approval"] == "signature":
        yield f"to approve it: -e patch_approve={book.plan} -e patch_approval_key=PATH"
