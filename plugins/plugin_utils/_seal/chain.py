# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The chain of a tenant's seals: without a gap from the first to the last, by months, and as anchors have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import is_whole_number
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.bundle import Bundle
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding, FindingKind

_MONTHS = 12
_ROOT = re.compile(r"[0-9a-f]{64}")
_SHOWN = 60
"""Missing months, and missing seals, that are listed one by one."""


@dataclass(frozen=True)
class Anchor:
    """The root of a seal, as somebody keeps it elsewhere."""

    tenant: str
    number: int
    root: str


def read_anchors(given: Iterable[Any]) -> list[Anchor]:
    """The anchors that ``fleet_anchors`` names. Raises FleetError of kind ``bad_anchor``."""
    anchors = []
    for number, item in enumerate(given, start=1):
        tenant, seal, root = (item.get(key) for key in ("tenant", "number", "root")) if _is_mapping(item) else ("",) * 3
        seal = int(seal) if isinstance(seal, str) and seal.isdecimal() else seal
        root = root.strip().lower() if isinstance(root, str) else ""
        if not (isinstance(tenant, str) and tenant and is_whole_number(seal) and _ROOT.fullmatch(root)):
            raise FleetError(
                f"fleet_anchors: item {number} is {str(item)[:80]!r}.",
                kind="bad_anchor",
                remedy="Write each as {tenant: alpha, number: 3, root: 64 digits}, as evidence_seal.yml prints them.",
            )
        anchors.append(Anchor(tenant, seal, root))
    return anchors


def check_chain(tenant: str, bundles: Iterable[Bundle]) -> Iterator[Finding]:
    """Each seal follows the one before, from 1 to the last; none is there twice, and no plan was sealed twice."""
    by_number: dict[int, Bundle] = {}
    plans: dict[str, int] = {}
    for bundle in sorted((each for each in bundles if each.seal), key=lambda each: (_number(each), each.folder.name)):
        number, plan = _number(bundle), bundle.seal.plan if bundle.seal else ""
        if number in by_number:
            what = f"{by_number[number].folder.name} and {bundle.folder.name} are both seal {number}"
            yield bundle.finding(FindingKind.SEAL_FORKED, what)
            continue
        if plan in plans:
            what = f"plan {plan[:16]} is sealed by seal {plans[plan]} already"
            yield bundle.finding(FindingKind.SEAL_FORKED, what)
        by_number[number], plans[plan] = bundle, number
    yield from _gaps(tenant, sorted(by_number))
    for number, bundle in by_number.items():
        yield from _follows(bundle, by_number.get(number - 1))


def _gaps(tenant: str, numbers: list[int]) -> Iterator[Finding]:
    """The numbers between those that are there: a seal may claim any number, so each gap is named once it is long."""
    for before, number in pairwise([0, *numbers]):
        shown = min(number, before + 1 + _SHOWN)
        for missing in range(before + 1, shown):
            yield Finding(FindingKind.SEAL_MISSING, tenant, f"seal {missing}", "no bundle here is this seal")
        if shown < number:
            what = f"no bundle here is this seal, nor any other up to {number - 1}"
            yield Finding(FindingKind.SEAL_MISSING, tenant, f"seal {shown}", what)


def _follows(bundle: Bundle, before: Bundle | None) -> Iterator[Finding]:
    """Whether a seal names the one before, and is not older; where that is missing, it is named as missing already."""
    number = _number(bundle)
    previous = bundle.seal.previous if bundle.seal else None
    if number == 1:
        if previous is not None:
            what = f"it is the first, and names seal {previous.number} as the one before"
            yield bundle.finding(FindingKind.CHAIN_BROKEN, what)
    elif previous is None or previous.number != number - 1:
        yield bundle.finding(FindingKind.CHAIN_BROKEN, f"it does not name seal {number - 1} as the one before")
    elif before and before.root != previous.root:
        what = f"seal {number - 1} has the root {before.root[:16]}, and had {previous.root[:16]} when this one was made"
        yield bundle.finding(FindingKind.CHAIN_BROKEN, what)
    if before and before.seal and bundle.seal and bundle.seal.moment < before.seal.moment:
        what = f"it is dated {bundle.seal.sealed}, and seal {number - 1} {before.seal.sealed}"
        yield bundle.finding(FindingKind.CHAIN_BROKEN, what)


def check_anchors(anchors: Iterable[Anchor], roots: Mapping[tuple[str, int], Iterable[str]]) -> Iterator[Finding]:
    """Each anchored seal is there, with its root. ``roots`` are those of each seal that was looked at."""
    for anchor in anchors:
        subject, found = f"seal {anchor.number}", list(roots.get((anchor.tenant, anchor.number), ()))
        if not found:
            what = f"it was anchored with the root {anchor.root[:16]}, and is gone"
            yield Finding(FindingKind.ANCHOR_GONE, anchor.tenant, subject, what)
        for root in found:
            if root != anchor.root:
                what = f"it has the root {root[:16]}, and was anchored with {anchor.root[:16]}"
                yield Finding(FindingKind.ANCHOR_DIFFERS, anchor.tenant, subject, what)


def check_months(tenant: str, cycles: Iterable[str], until: str | None) -> Iterator[Finding]:
    """Each month from the tenant's first cycle to its last, or to ``until`` (``2026-11``), has its ordinary cycle."""
    seen = set(cycles)
    months = {_month(cycle) for cycle in seen}
    if not months:
        return
    ordinary = {_month(cycle) for cycle in seen if "-e" not in cycle}
    last = max(*months, _month(until)) if until else max(months)
    missing = [month for month in range(min(months), last + 1) if month not in ordinary]
    for month in missing[:_SHOWN]:
        beside = " of its own; only emergency cycles" if month in months else ""
        what = f"the month has no cycle{beside}"
        yield Finding(FindingKind.MONTH_MISSING, tenant, f"cycle {_named(month)}", what)
    if len(missing) > _SHOWN:
        what = f"{len(missing) - _SHOWN} months more have no cycle, the last of them {_named(missing[-1])}"
        yield Finding(FindingKind.MONTH_MISSING, tenant, f"cycle {_named(missing[_SHOWN])}", what)


def _month(cycle: str) -> int:
    """The month of a cycle, counted from the year 0."""
    return int(cycle[:4]) * _MONTHS + int(cycle[5:7]) - 1


def _named(month: int) -> str:
    return f"{month // _MONTHS:04}-{month % _MONTHS + 1:02}"


def _number(bundle: Bundle) -> int:
    return bundle.seal.number if bundle.seal else 0


def _is_mapping(item: Any) -> bool:
    return isinstance(item, Mapping)
