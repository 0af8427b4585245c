# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes reports from State: for plans, a cycle, tenants over all their cycles, the fleet. On the controller alone."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._action import FleetAction
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import brief_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.build import SampleSize, build
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import Document, ScopeKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.registry import (
    HISTORY,
    check_formats,
    write_reports,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.formats.whole import whole_reports
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Wanted
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import BUNDLES, is_bundle_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

FLEET = "fleet"
"""Under what a report of all tenants together is returned."""


class ActionModule(FleetAction):
    ARGUMENTS: t.ClassVar[dict[str, t.Any]] = {
        "scope": {"type": "str", "choices": [kind.value for kind in ScopeKind], "default": "cycle"},
        "cycle": {"type": "str"},
        "plans": {"type": "list", "elements": "dict", "default": []},
        "tenants": {"type": "list", "elements": "str", "default": []},
        "formats": {"type": "list", "elements": "str", "default": ["html"]},
        "dest": {"type": "path"},
        "sample": {
            "type": "dict",
            "options": {"seed": {"type": "str", "required": True}, "size": {"type": "int", "default": 10}},
        },
        "compare_with": {"type": "str"},
        "bundles": {"type": "path"},
        "user_requests": {"type": "dict", "default": {}},
    }

    def act(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        check_formats(arguments["formats"])
        if HISTORY in arguments["formats"] and arguments["scope"] not in (ScopeKind.TENANT, ScopeKind.FLEET):
            raise _bad_scope("formats", "history is a page over all cycles", "Set scope to tenant or fleet.")
        drawn = _drawn(arguments["sample"])
        state = self.state(variables)
        wanted = dict(wanted_of(state, arguments))
        if self._task.check_mode:
            return {"changed": False, "reports": {}, "briefs": {}, "msg": "The reports would be made."}
        dest = _dest(arguments["dest"])
        bundles = Path(arguments["bundles"] or self.state_dir(variables) / BUNDLES)
        now = datetime.now(timezone.utc)
        # All are built before any is written, and all are written before any is put in its place: what cannot be made
        # leaves the former ones, and no two of different moments.
        documents = {
            name: build(state, want, now, drawn=drawn, user_requests=arguments["user_requests"])
            for name, want in wanted.items()
        }
        reports = {}
        with ExitStack() as until_all_are_there:
            for name, document in documents.items():
                folder = dest if document.scope.kind is ScopeKind.FLEET else dest / name
                new = until_all_are_there.enter_context(whole_reports(folder))
                made = write_reports(document, new, arguments["formats"], links(document, folder, bundles))
                reports[name] = {form: [str(folder / path) for path in paths] for form, paths in made.items()}
        briefs = {name: brief_of(document).as_data() for name, document in documents.items()}
        return {"changed": False, "reports": reports, "briefs": briefs}


def wanted_of(state: State, arguments: dict[str, t.Any]) -> Iterator[tuple[str, Wanted]]:
    """What is wanted, by tenant: a report is of one tenant, unless it is of the whole fleet.

    Raises FleetError of kind ``no_plan`` or ``bad_scope``.
    """
    kind, cycle = ScopeKind(arguments["scope"]), arguments["cycle"]
    tenants, compare_with = arguments["tenants"], arguments["compare_with"]
    if arguments["plans"]:
        kind = ScopeKind.PLAN
    if kind is ScopeKind.PLAN:
        for tenant, plan in _plans(arguments["plans"], tenants):
            yield tenant, Wanted(kind, (tenant,), plan=plan, compare_with=compare_with)
    elif kind is ScopeKind.FLEET:
        yield FLEET, Wanted(kind, tuple(tenants), cycle, compare_with=compare_with)
    elif kind is ScopeKind.TENANT:
        for tenant in tenants or state.tenants():
            yield tenant, Wanted(kind, (tenant,), compare_with=compare_with)
    else:
        if not cycle:
            raise _bad_scope("cycle", "is missing", "Name the cycle, e.g. 2026-11, or choose another scope.")
        for tenant in tenants or [entry["tenant"] for entry in state.get_cycle(cycle)["plans"]]:
            yield tenant, Wanted(kind, (tenant,), cycle, compare_with=compare_with)


def links(document: Document, folder: Path, bundles: Path) -> dict[str, dict[str, str]]:
    """By plan, where its bundle is as seen from the folder of the report; nothing where it was not sealed here."""
    found: dict[str, dict[str, str]] = {}
    for tenant in document.scope.tenants:
        own = bundles / tenant
        names = [path.name for path in own.iterdir() if is_bundle_name(path.name)] if own.is_dir() else []
        for plan in document.plans:
            for name in names:
                if plan.tenant == tenant and name.endswith(f"-{plan.plan[:16]}"):
                    found[plan.plan] = {"bundle": os.path.relpath(own / name, folder)}
    return found


def _plans(plans: list[dict[str, t.Any]], tenants: list[str]) -> list[tuple[str, str]]:
    try:
        named = [(str(each["tenant"]), str(each["plan"])) for each in plans]
    except KeyError as problem:
        raise _bad_scope("plans", f"has an entry without {problem}", "Name tenant and plan of each.") from problem
    chosen = [(tenant, plan) for tenant, plan in named if not tenants or tenant in tenants]
    if not chosen:
        raise _bad_scope("plans", "names no plan", "Name tenant and plan of each, or choose another scope.")
    if len({tenant for tenant, _plan in chosen}) < len(chosen):
        remedy = "Make a report of each, or of the tenant over all its cycles (scope: tenant)."
        raise _bad_scope("plans", "names more than one plan of a tenant", remedy)
    return chosen


def _bad_scope(key: str, what: str, remedy: str) -> FleetError:
    return FleetError(f"{key}: {what}.", kind="bad_scope", remedy=remedy)


def _drawn(sample: dict[str, t.Any] | None) -> SampleSize | None:
    if sample is None:
        return None
    if sample["size"] < 1:
        raise _bad_scope("sample.size", f"{sample['size']} draws no host", "Write 1 or more.")
    return SampleSize(sample["seed"], sample["size"])


def _dest(dest: str | None) -> Path:
    if not dest:
        raise _bad_scope("dest", "is missing", "Name the folder into which the reports are written.")
    return Path(dest).expanduser()
