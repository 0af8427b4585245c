# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a state knows of a seal: which plan it closes, and which files it names, so that they stay what was sealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded, digest_of_bytes

SEAL, SUMS = "seal.json", "SHA256SUMS"
APPROVALS, REPORTS = "approvals", "reports"
"""Where a bundle has what stands beside its plan."""

_NO_ENTRY = "0" * 64


@dataclass(frozen=True)
class Closed:
    """What a seal says of its plan: how many lines the ledger has, the hash of the last one, and the files."""

    plan: str
    count: int
    head: str
    files: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each file of the bundle, by its path."""

    def refuse_other_ledger(self, tenant: str, count: int, last: bytes | None) -> None:
        """Raise FleetError of kind ``ledger_moved`` when another ledger than the sealed one stands there."""
        head = _NO_ENTRY if last is None else _object(last).get("hash")
        if (count, head) != (self.count, self.head):
            raise FleetError(
                f"The ledger of plan {self.plan[:16]} of tenant {tenant} has {count} entries, and the seal says "
                f"{self.count}: somebody wrote into it while it was being sealed.",
                kind="ledger_moved",
                remedy="Run this again; the seal then closes the ledger as it is.",
            )

    def refuse_other_files(self, tenant: str, found: Iterable[tuple[str, bytes]]) -> None:
        """Raise FleetError of kind ``plan_moved`` when others than the sealed files stand beside the plan."""
        beside = (f"{APPROVALS}/", f"{REPORTS}/")
        sealed = {path: digest for path, digest in self.files.items() if path.startswith(beside)}
        differing = differences(sealed, {path: digest_of_bytes(content) for path, content in found})
        if differing:
            raise FleetError(
                f"The approvals and reports of plan {self.plan[:16]} of tenant {tenant} are not those that the seal "
                f"names: {', '.join(differing)}. Somebody wrote there while it was being sealed; nothing is sealed.",
                kind="plan_moved",
                remedy="Run this again; the seal then closes the plan with what stands there.",
            )


def closed_by(contents: Mapping[str, bytes]) -> Closed | None:
    """The plan that a seal with these files closes; None where they do not say."""
    seal = _object(contents.get(SEAL, b""))
    ledger = seal.get("ledger")
    if not isinstance(seal.get("plan"), str) or not isinstance(ledger, dict):
        return None
    sums = digests_of(contents.get(SUMS, b""))
    return Closed(seal["plan"], ledger.get("count", 0), ledger.get("head", ""), sums)


def digests_of(sums: bytes) -> dict[str, str]:
    """The digests in a SHA256SUMS by path."""
    return {line[66:]: line[:64] for line in sums.decode(errors="replace").splitlines()}


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The paths whose digests are not the same in both, sorted."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def files_beside(
    approvals: Iterable[tuple[bytes, str]], reports: Iterable[str], read: Callable[[str], bytes]
) -> Iterator[tuple[str, bytes]]:
    """What stands beside a plan, by the paths that it has in a bundle; each report is read when its turn comes."""
    for number, (statement, signature) in enumerate(approvals, start=1):
        yield f"{APPROVALS}/{number}.json", statement
        yield f"{APPROVALS}/{number}.sig", signature.encode()
    for name in reports:
        yield f"{REPORTS}/{name}", read(name)


def plan_sealed(tenant: str, plan: str, number: int) -> FleetError:
    """The error for a plan that the seal of this number closes."""
    return FleetError(
        f"Plan {plan[:16]} of tenant {tenant} is sealed (seal {number}): nothing can be added to its record.",
        kind="plan_sealed",
        remedy="Make a new plan, in an emergency cycle if need be; that is also the way to take a change back "
        "once its plan is sealed.",
    )


def report_sealed(tenant: str, plan: str, name: str) -> FleetError:
    """The error for a report that a seal names."""
    return FleetError(
        f"Report {name} of plan {plan[:16]} of tenant {tenant} is sealed: it stays as it was then.",
        kind="plan_sealed",
        remedy="Make reports of a sealed plan elsewhere, by bankops.fleet.report.",
    )


def _object(content: bytes) -> dict[str, Any]:
    """The JSON object that the bytes are; an empty one where they are none."""
    try:
        value = decoded(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
