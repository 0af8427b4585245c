# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words and lines about transactions. Pure."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import Change


def compare_transactions(planned: Sequence[Change], simulated: Sequence[Change]) -> List[str]:
    """A sentence for each difference; empty when the transactions are the same."""
    expected = {change.key: change for change in planned}
    found = {change.key: change for change in simulated}
    differences = []
    for key in sorted(set(expected) | set(found)):
        if key not in found:
            differences.append(f"{expected[key]} is planned but would not happen")
        elif key not in expected:
            differences.append(f"{found[key]} is not planned")
        elif _facts(expected[key]) != _facts(found[key]):
            differences.append(f"{expected[key]} is planned, {found[key]} would happen")
    return differences


def describe(changes: Sequence[Change]) -> str:
    """``name:arch version`` of each, separated by commas."""
    return ", ".join(f"{change.key} {change.candidate}" for change in changes)


def version_lines(before: Mapping[str, Optional[str]], after: Mapping[str, Optional[str]]) -> Dict[str, str]:
    """Ansible's diff: one line ``name:arch version`` for each package that is there."""
    return {"before": _lines(before), "after": _lines(after)}


def _lines(versions: Mapping[str, Optional[str]]) -> str:
    return "".join(f"{key} {version}\n" for key, version in sorted(versions.items()) if version is not None)


def _facts(change: Change) -> object:
    return (change.action, change.installed, change.candidate)
