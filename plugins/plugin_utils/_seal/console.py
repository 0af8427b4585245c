# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What verification found, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.findings import Finding
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.verification import Looked, Verification

SHOWN_FINDINGS = 50
"""The result of the task has all of them."""


def render(found: Verification, place: str, *, with_state: bool) -> list[str]:
    """Each bundle, how many each tenant has, what is not sealed yet, notes, findings; the last line is the verdict."""
    return [
        *map(_bundle, found.bundles),
        *(f"{show(tenant)}: {_some(count, 'bundle')}" for tenant, count in found.counts.items()),
        *(
            f"{show(plan.tenant)}: cycle {plan.cycle}, plan {plan.plan[:16]}: {printable(plan.why)}"
            for plan in found.open
        ),
        *(f"NOTE: {printable(note)}" for note in found.notes),
        *_findings(found.findings),
        _verdict(found, place, with_state),
    ]


def _bundle(looked: Looked) -> str:
    verdict = _some(looked.findings, "finding") if looked.findings else "good"
    verdict = "; NOTE: ".join((verdict, *map(printable, looked.notes)))
    if looked.seal is None:
        return f"{show(looked.tenant)}: {printable(looked.place)}: {verdict}"
    seal = looked.seal
    what = f"seal {seal.number}, cycle {show(seal.cycle)}, plan {seal.plan[:16]}, sealed {show(seal.sealed)}"
    return f"{show(looked.tenant)}: {what}, root {looked.root[:16]}: {verdict}"


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    for finding in findings[:SHOWN_FINDINGS]:
        where = f" ({printable(finding.where)})" if finding.where else ""
        yield f"FOUND {finding.kind}: {show(finding.tenant)}, {show(finding.subject)}: {printable(finding.what)}{where}"
        yield f"      {finding.remedy}"
    if len(findings) > SHOWN_FINDINGS:
        yield f"and {_some(len(findings) - SHOWN_FINDINGS, 'finding')} more"


def _verdict(found: Verification, place: str, with_state: bool) -> str:
    compared = "compared with the state" if with_state else "alone, without the state"
    verdict = _some(len(found.findings), "finding") if found.findings else "nothing is wrong"
    return f"{printable(place)}: {_some(len(found.bundles), 'bundle')} verified, {compared}: {verdict}."


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
