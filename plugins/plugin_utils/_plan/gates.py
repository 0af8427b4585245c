# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gates of a host, read from one scan: what must hold before it is changed.

Some are about the moment and are looked at again right before the change (``MOMENTARY``); the others are about the plan
itself, and a host that one of them stops is not planned at all.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.model import Gate, Verdict, gate

MOMENTARY = frozenset({"disk", "locks", "interrupted", "checks", "window", "freeze", "ticket", "population"})
_MEGABYTE = 1024 * 1024
_NAMED = 5


def host_gates(scan: Mapping[str, Any], policy: Mapping[str, Any], held: list[str]) -> list[Gate]:
    """The gates of a scanned host; ``policy`` is ``Policy.as_data()``, ``held`` the patterns of holds that hold."""
    packages = scan["packages"]
    return [
        _identity(scan["state"]),
        _metadata(packages),
        _removals(packages["transaction"], policy["allow_removals"]),
        _holds(packages["transaction"], held),
        _reboot(packages, policy["reboot"]),
        # A scan for a plan need not run the health checks; the preflight must.
        *(found for found in momentary_gates(scan, policy) if found["name"] != "checks" or scan.get("checks")),
    ]


def momentary_gates(scan: Mapping[str, Any], policy: Mapping[str, Any]) -> list[Gate]:
    """The gates that are about the moment of the scan."""
    return [
        _disk(scan, policy["minimum_free_mb"]),
        _locks(scan["packages"]),
        _interrupted(scan["packages"]["interrupted"]),
        _checks(scan.get("checks") or [], policy["health_checks"]),
    ]


def _identity(state: Mapping[str, Any]) -> Gate:
    machine = state.get("machine_id")
    if not machine or machine == "unknown":
        return gate("identity", Verdict.UNKNOWN, "the host has no machine id; run systemd-machine-id-setup on it")
    return gate("identity", Verdict.PASS, f"machine id {machine}")


def _metadata(packages: Mapping[str, Any]) -> Gate:
    if packages["refresh_error"]:
        return gate(
            "metadata", Verdict.UNKNOWN, f"the package lists could not be refreshed: {packages['refresh_error']}"
        )
    return gate("metadata", Verdict.PASS, "refreshed" if packages["refreshed"] else "as they were on the host")


def _removals(transaction: list[Mapping[str, Any]], allowed: bool) -> Gate:
    removed = [change["name"] for change in transaction if change["action"] == "remove"]
    if removed and not allowed:
        evidence = f"the transaction removes {_names(removed)}; exclude what needs it, or set patch_allow_removals"
        return gate("removals", Verdict.BLOCK, evidence)
    return gate("removals", Verdict.PASS, f"removes {_names(removed)}, as the policy allows" if removed else "none")


def _holds(transaction: list[Mapping[str, Any]], held: list[str]) -> Gate:
    names = [change["name"] for change in transaction]
    kept = {name for glob in held for name in fnmatch.filter(names, glob)}
    taken = [name for name in names if name in kept]
    if taken:
        evidence = f"the transaction changes {_names(taken)}, which is held; exclude what needs it, or end the hold"
        return gate("holds", Verdict.BLOCK, evidence)
    return gate("holds", Verdict.PASS, "nothing that is held is changed")


def _reboot(packages: Mapping[str, Any], reboot: str) -> Gate:
    selected = {change["name"] for change in packages["transaction"]}
    kernels = [update["name"] for update in packages["pending"] if update["is_kernel"] and update["name"] in selected]
    if kernels and reboot == "never":
        evidence = f"warning: {_names(kernels)} takes effect at a reboot, and patch_reboot is never"
        return gate("reboot", Verdict.PASS, evidence)
    return gate("reboot", Verdict.PASS, reboot)


def _disk(scan: Mapping[str, Any], minimum_mb: Mapping[str, int]) -> Gate:
    """Free space after the change. Packages are unpacked below / and downloaded below /var, which may be the same."""
    disk, packages = scan["state"]["disk"], scan["packages"]
    growth = max(0, packages["disk_bytes"]) + packages["download_bytes"]
    short, seen = [], []
    for path, megabytes in sorted(minimum_mb.items()):
        measured = _measured(path, disk, scan["state"].get("mounts", []))
        if measured is None:
            return gate("disk", Verdict.UNKNOWN, f"the free space on {path} was not read")
        needed = megabytes * _MEGABYTE + (growth if measured in ("/", "/var") else 0)
        free = disk[measured]["free"]
        seen.append(f"{path} {free // _MEGABYTE} MB")
        if free < needed:
            short.append(f"{path} has {free // _MEGABYTE} MB free and needs {-(-needed // _MEGABYTE)} MB")
    if short:
        return gate("disk", Verdict.BLOCK, "; ".join(short))
    return gate("disk", Verdict.PASS, ", ".join(seen) + " free" if seen else "no minimum is set")


def _measured(path: str, disk: Mapping[str, Any], mounts: list[str]) -> str | None:
    """The measured path on the file system of ``path``, or None when ``path`` is on one that was not measured."""
    at = PurePosixPath(path)
    while str(at) not in disk:
        if str(at) in mounts or at == at.parent:
            return None
        at = at.parent
    return str(at)


def _locks(packages: Mapping[str, Any]) -> Gate:
    busy = [*packages["locks"], *packages["other_actors"]]
    if busy:
        who = sorted({f"{actor['command']} (pid {actor['pid']})" for actor in busy})
        return gate("locks", Verdict.BLOCK, f"at work beside us: {_names(who)}")
    return gate("locks", Verdict.PASS, "nobody else changes packages")


def _interrupted(found: Mapping[str, Any]) -> Gate:
    if found["interrupted"]:
        return gate("interrupted", Verdict.PASS, f"will be healed first: {_names(found['details'])}")
    return gate("interrupted", Verdict.PASS, "no interrupted transaction")


def _checks(results: list[Mapping[str, Any]], wanted: list[Mapping[str, Any]]) -> Gate:
    failed = [f"{result['name']}: {result['detail']}" for result in results if result["ok"] is not True]
    if failed:
        return gate("checks", Verdict.BLOCK, "; ".join(failed))
    if len(results) < len(wanted):
        return gate("checks", Verdict.UNKNOWN, f"{len(results)} of {len(wanted)} health checks were run")
    return gate("checks", Verdict.PASS, f"{len(results)} well" if results else "none is set")


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def missing_from(scan: Mapping[str, Any]) -> Iterator[str]:
    """The keys of the contract that a scan does not have: without them nothing can be decided about its host."""
    for part, keys in _NEEDED.items():
        inner = scan.get(part)
        for key in keys:
            if not isinstance(inner, Mapping) or key not in inner:
                yield f"{part}.{key}"


_NEEDED = {
    "state": ("machine_id", "disk"),
    "packages": (
        "manager",
        "pending",
        "transaction",
        "not_pending",
        "held",
        "locks",
        "interrupted",
        "other_actors",
        "refreshed",
        "refresh_error",
        "download_bytes",
        "disk_bytes",
    ),
}
