# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verifying bundles: one, a tenant's, or a fleet's, alone or against the state. No finding ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import verify
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.against_state import OpenPlan, compare
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import (
    Bundle,
    check_files,
    is_signed,
    read_bundle,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.chain import (
    Anchor,
    check_anchors,
    check_chain,
    check_months,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.facts import read_facts
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.lists import changed_lists
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import LEDGER, SEAL, SUMS, Seal, is_bundle_name
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.people import check_people
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.record import (
    check_facts,
    check_ledger,
    check_plan,
    read_head,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

_LONGEST = 200
"""Of what an error says: it may repeat the whole of what is wrong."""


@dataclass(frozen=True)
class Wanted:
    """What to judge by: lists of signers from outside the bundles, anchors, and the time.

    ``until`` is a month that must have a cycle (None: no further than the last). ``tenants`` empty means all.
    """

    signers: Path
    approval_signers: Path | None
    anchors: Collection[Anchor]
    tenants: Collection[str]
    until: str | None
    now: datetime


@dataclass(frozen=True)
class Looked:
    """A bundle that was looked at."""

    tenant: str
    place: str
    seal: Seal | None
    root: str
    findings: int
    notes: tuple[str, ...] = ()
    """What is not wrong, and must be known."""

    def as_data(self) -> dict[str, Any]:
        """The bundle as plain data, all of it printable."""
        seal = self.seal
        own = {"number": seal.number, "plan": seal.plan, "cycle": seal.cycle, "sealed": seal.sealed} if seal else {}
        return {
            "tenant": printable(self.tenant),
            "bundle": printable(self.place),
            "root": self.root,
            "findings": self.findings,
            **own,
            **({"notes": [printable(note) for note in self.notes]} if self.notes else {}),
        }


@dataclass(frozen=True)
class Verification:
    """What was looked at, what is not sealed yet, and everything that is wrong; ``counts`` are of bundles by tenant."""

    bundles: tuple[Looked, ...]
    open: tuple[OpenPlan, ...]
    findings: tuple[Finding, ...]
    counts: dict[str, int]
    notes: tuple[str, ...] = ()
    """What lies beside the bundles and is not wrong, and must be known."""


def verify_evidence(folder: Path, state: State | None, wanted: Wanted) -> Verification:
    """Verify what lies in ``folder``: a bundle, the bundles of a tenant, or folders of tenants.

    Of a single bundle its place in the chain is not looked at. Raises FleetError: ``no_bundles``, ``signers_missing``,
    ``state_error`` and the like.
    """
    _require_list(wanted.signers, "fleet_seal_signers")
    if wanted.approval_signers:
        _require_list(wanted.approval_signers, "fleet_approval_signers")
    if _is_bundle(folder):
        bundle = read_bundle(folder)
        notes: list[str] = []
        own = list(check_bundle(bundle, wanted.signers, wanted.approval_signers, notes))
        number = bundle.seal.number if bundle.seal else 0
        anchors = [each for each in wanted.anchors if (each.tenant, each.number) == (bundle.tenant, number)]
        own += check_anchors(anchors, {(bundle.tenant, number): [bundle.root]})
        return Verification((_looked(bundle, own, notes),), (), tuple(own), {bundle.tenant: 1})
    beside: list[str] = []
    found = _read_all(folder, state, beside)
    tenants = found.keys() | (set(state.tenants()) if state else set())
    if not tenants:
        raise _nothing(folder)
    chosen = sorted(set(wanted.tenants) or tenants)
    each = [_verify_tenant(tenant, found.get(tenant, []), state, wanted) for tenant in chosen]
    gone = [anchor for anchor in wanted.anchors if anchor.tenant not in chosen]
    if wanted.tenants:
        gone = [anchor for anchor in gone if anchor.tenant in wanted.tenants]
    return Verification(
        tuple(looked for one in each for looked in one.bundles),
        tuple(plan for one in each for plan in one.open),
        (*(finding for one in each for finding in one.findings), *check_anchors(gone, {})),
        {tenant: len(found.get(tenant, [])) for tenant in chosen},
        tuple(beside),
    )


def _verify_tenant(tenant: str, bundles: list[Bundle], state: State | None, wanted: Wanted) -> Verification:
    looked, findings, opened = [], [], []
    roots: dict[tuple[str, int], list[str]] = {}
    cycles: set[str] = set()
    if not bundles and not (state and tenant in state.tenants()):
        findings.append(Finding(FindingKind.SEAL_MISSING, tenant, "all seals", "no bundle of this tenant is here"))
    lists = changed_lists(bundles) if wanted.approval_signers is None else {}
    for bundle in bundles:
        notes: list[str] = lists.get(bundle.folder, [])
        own = list(check_bundle(bundle, wanted.signers, wanted.approval_signers, notes))
        findings += own
        looked.append(_looked(bundle, own, notes))
        if bundle.seal:
            roots.setdefault((tenant, bundle.seal.number), []).append(bundle.root)
            if is_signed(own):
                cycles.add(bundle.seal.cycle)
    findings += check_chain(tenant, bundles)
    if state:
        compared = compare(state, tenant, bundles, wanted.now)
        findings += compared.findings
        opened += compared.open
        cycles |= compared.cycles
    findings += check_months(tenant, cycles, wanted.until)
    findings += check_anchors([anchor for anchor in wanted.anchors if anchor.tenant == tenant], roots)
    return Verification(tuple(looked), tuple(opened), tuple(findings), {tenant: len(bundles)})


def _looked(bundle: Bundle, findings: Collection[Finding], notes: Collection[str]) -> Looked:
    return Looked(bundle.tenant, str(bundle.folder), bundle.seal, bundle.root, len(findings), tuple(notes))


def check_bundle(bundle: Bundle, signers: Path, approval_signers: Path | None, notes: list[str]) -> Iterator[Finding]:
    """Everything that a bundle says of itself; what is not wrong, and must be known, is added to ``notes``."""
    yield from _to_its_end(bundle, check_files(bundle, signers))
    if bundle.seal:
        yield from _to_its_end(bundle, _check_record(bundle, bundle.seal, approval_signers, notes))


def _to_its_end(bundle: Bundle, found: Iterator[Finding]) -> Iterator[Finding]:
    """What is found in a bundle, and that nothing more can be, when what it records has not its shape.

    Whoever made it had no need to keep to ours, and what one bundle holds must not hide what is wrong with the others.
    """
    try:
        yield from found
    except Exception as problem:
        if isinstance(problem, FleetError) and problem.kind == "command_missing":
            raise
        what = f"what it records cannot be read: {type(problem).__name__}: {str(problem)[:_LONGEST]}"
        yield bundle.finding(FindingKind.BUNDLE_MALFORMED, what, *bundle.reading)


def _check_record(bundle: Bundle, seal: Seal, approval_signers: Path | None, notes: list[str]) -> Iterator[Finding]:
    head = read_head(bundle)
    yield from check_plan(bundle, seal, head)
    if LEDGER not in bundle.digests:
        return
    checked = verify(bundle.lines(LEDGER))
    yield from check_ledger(bundle, seal, checked)
    if head is not None and checked.ok and (checked.count, checked.head) == (seal.count, seal.head):
        facts = read_facts(head, lambda: bundle.lines(LEDGER))
        yield from check_facts(bundle, seal, head, facts)
        yield from check_people(bundle, seal, head, facts, approval_signers, notes)


def _is_bundle(folder: Path) -> bool:
    try:
        return is_bundle_name(folder.name) or any((folder / name).is_file() for name in (SUMS, SEAL))
    except OSError:
        return False


def _folders(folder: Path, beside: list[str]) -> dict[str, list[Path]]:
    """The folders of bundles by tenant; the tenant is empty where it is for the seals to say."""
    inner = _subfolders(folder, beside)
    if any(_is_bundle(path) for path in inner):
        return {"": inner}
    return {path.name: _subfolders(path, beside) for path in inner}


def _subfolders(folder: Path, beside: list[str]) -> list[Path]:
    """The folders in one; ``beside`` gets a sentence for each that is hidden, which is none of them, or a link."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as problem:
        raise FleetError(
            f"{folder} cannot be read: {problem.strerror}.",
            kind="no_bundles",
            remedy="Set fleet_bundles to a bundle, or to the folder that holds those of a tenant or of all tenants.",
        ) from problem
    hidden = [path for path in paths if path.name.startswith(".")]
    shown = [path for path in paths if path not in hidden]
    beside += [f"{path} was not looked at: its name begins with a dot" for path in hidden]
    beside += [f"{path} is a link; what was looked at lies elsewhere" for path in shown if path.is_symlink()]
    return shown


def _require_list(path: Path, variable: str) -> None:
    """Raise FleetError of kind ``signers_missing`` when nobody can be judged by a list of signers."""
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise FleetError(
            f"{path}, which {variable} names, cannot be read: {problem}.",
            kind="signers_missing",
            remedy="Put the file there; docs/auditors.md shows one.",
        ) from problem


def _read_all(folder: Path, state: State | None, beside: list[str]) -> dict[str, list[Bundle]]:
    """All bundles by tenant. Where there is a state, nothing need be sealed yet."""
    if state and not folder.exists():
        return {}
    found: dict[str, list[Bundle]] = {}
    for tenant, folders in _folders(folder, beside).items():
        bundles = [read_bundle(path, tenant) for path in folders]
        # Without the name of a folder they are whose most of the seals are.
        owners = Counter(bundle.tenant for bundle in bundles if bundle.seal).most_common(1)
        owner = tenant or (owners[0][0] if owners else "unknown")
        found[owner] = [replace(bundle, tenant=owner) for bundle in bundles]
    return found


def _nothing(folder: Path) -> FleetError:
    return FleetError(
        f"{folder} holds no bundle.",
        kind="no_bundles",
        remedy="Set fleet_bundles to a bundle, or to the folder that holds those of a tenant or of all tenants.",
    )
