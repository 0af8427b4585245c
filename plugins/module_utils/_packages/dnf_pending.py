# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What dnf would upgrade, why, and the complete transaction of what the policy selects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Dict, List, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf_read import (
    Database,
    evr,
    parse_advisories,
    read_database,
    simulate,
    source_name,
    specification,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    UNKNOWN,
    Action,
    Change,
    Reason,
    Selection,
    Update,
    Updates,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.selection import (
    is_forbidden,
    reason_against,
    refuse_forbidden,
    with_verdicts,
)

_KERNEL = re.compile(r"^kernel(-[a-z0-9]+)*(-core)?$")
_NOT_KERNEL = re.compile(r"-(devel|headers|doc|tools|modules|debug|debuginfo|srpm-macros|abi)")
_SEVERITIES = ("critical", "important", "moderate", "low")
_FORM = "%{name}|%{arch}|%{epoch}|%{version}|%{release}|%{repoid}|%{sourcerpm}|%{downloadsize}|%{installsize}"
_LOCKED = re.compile(r"^(?P<name>.+)-(?P<version>(?:\d+:)?[^-]+-[^-]+)$")


@dataclass(frozen=True)
class Available:
    """A package in a repository; sizes in bytes."""

    repository: str
    source: str
    download_size: int
    installed_size: int


def is_kernel(name: str) -> bool:
    """Whether a package of this name holds a kernel, or leads to the newest one."""
    return bool(_KERNEL.match(name)) and not _NOT_KERNEL.search(name)


def query(commands: Commands, wanted: Sequence[Change]) -> Dict[str, Available]:
    """What the repositories have of the candidates of ``wanted``, by :func:`specification`."""
    found: Dict[str, Available] = {}
    names = [specification(c.name, c.arch, c.candidate) for c in wanted if c.candidate is not None]
    if names:
        text = commands.run(["dnf", "-q", "repoquery", "--available", "--qf", _FORM, *names], timeout=900).stdout
        for line in text.splitlines():
            fields = line.split("|")
            if len(fields) == 9:
                name, arch, epoch, version, release, repository, source, download, installed = fields
                key = specification(name, arch, evr(epoch, version, release))
                found[key] = Available(repository, source_name(source), int(download), int(installed))
    return found


def read_updates(commands: Commands, selection: Selection, root: Path = Path("/")) -> Updates:
    """Pending updates, the selected ones' transaction, holds and sizes.

    Raises FleetError of kind ``selection_conflict`` or ``simulation_failed``.
    """
    database = read_database(commands)
    held = read_held(root)
    unlocked = ["--disableplugin=versionlock"] if held else []
    everything = simulate(commands, unlocked, ["upgrade"], database)
    available = query(commands, everything)
    pending = describe(commands, everything, available, database)
    reasons = _verdicts(pending, selection, held, reason_against)
    forbidden = _verdicts(pending, selection, held, is_forbidden)
    wanted = {update.key for update in pending if update.key not in reasons and _may_be_chosen(update)}
    transaction = _select(commands, database, everything, wanted, forbidden, unlocked)
    judged = with_verdicts(
        pending,
        {change.key for change in transaction},
        reasons,
        forbidden,
        {update.key: update.source for update in pending if update.key in forbidden},
    )
    chosen = [available.get(specification(c.name, c.arch, c.candidate)) for c in transaction if c.candidate]
    sizes = {(package.name, package.arch, package.version): package.size for package in database}
    freed = sum(sizes.get((c.name, c.arch, c.installed), 0) for c in transaction if c.installed is not None)
    return Updates(
        judged,
        transaction,
        sorted(held.items()),
        sum(package.download_size for package in chosen if package),
        sum(package.installed_size for package in chosen if package) - freed,
    )


def read_held(root: Path) -> Dict[str, str]:
    """Names and versions of the version lock plugin's list."""
    held = {}
    path = root / "etc/dnf/plugins/versionlock.list"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        entry = line.strip()
        if entry and not entry.startswith(("#", "!")):
            found = _LOCKED.match(entry.rpartition(".")[0] if entry.endswith(".*") else entry)
            if found:
                version = found["version"]
                held[found["name"]] = version[2:] if version.startswith("0:") else version
    return held


def _may_be_chosen(update: Update) -> bool:
    """New packages come as dependencies, except kernels, which are installed beside the old ones."""
    return update.installed is not None or update.is_kernel


def _verdicts(
    pending: Sequence[Update],
    selection: Selection,
    held: Mapping[str, str],
    judge: Callable[[Update, Selection, Collection[str]], Optional[Reason]],
) -> Dict[str, Reason]:
    found = {}
    for update in pending:
        reason = judge(update, selection, held)
        if reason is not None:
            found[update.key] = reason
    return found


def _select(
    commands: Commands,
    database: Database,
    everything: List[Change],
    wanted: "set[str]",
    forbidden: Mapping[str, Reason],
    unlocked: Sequence[str],
) -> List[Change]:
    chosen = [change for change in everything if change.key in wanted]
    upgrades = {change.key for change in everything if change.action is Action.UPGRADE}
    if not forbidden and upgrades <= wanted:
        return everything
    options = list(unlocked)
    if forbidden and chosen:
        names = ",".join(sorted({change.name for change in everything if change.key in forbidden}))
        # Without "best" dnf leaves out what cannot come while the forbidden stay where they are.
        options += [f"--exclude={names}", "--setopt=best=False"]
        feasible = {change.key for change in simulate(commands, options, ["upgrade"], database)}
        chosen = [change for change in chosen if change.key in feasible]
    if not chosen:
        return []
    targets = [specification(c.name, c.arch, c.candidate or "") for c in chosen]
    transaction = simulate(commands, options, ["upgrade", *targets], database)
    refuse_forbidden(transaction, forbidden)
    return transaction


def describe(
    commands: Commands, changes: Sequence[Change], available: Mapping[str, Available], database: Database
) -> List[Update]:
    """The updates behind ``changes``, with their advisories and CVE ids; not judged by any selection."""
    candidates = [change for change in changes if change.candidate is not None]
    if not candidates:
        return []
    listing = ["dnf", "-q", "updateinfo", "list", "--available"]
    advisories = parse_advisories(commands.run(listing, timeout=900).stdout)
    cves = parse_advisories(commands.run([*listing, "--with-cve"], timeout=900).stdout)
    updates = []
    for change in candidates:
        candidate = change.candidate or ""
        # A kernel is new beside the older ones; what it closes counts from the newest of these.
        before = change.installed or next(iter(reversed(database.versions(change.name, change.arch))), None)
        ours = [entry for entry in advisories if entry.closes(change.name, change.arch, before, candidate)]
        closed = {entry.identifier for entry in cves if entry.closes(change.name, change.arch, before, candidate)}
        package = available.get(specification(change.name, change.arch, candidate))
        severities = [level for level in _SEVERITIES if any(advisory.severity == level for advisory in ours)]
        updates.append(
            Update(
                name=change.name,
                arch=change.arch,
                source=package.source if package else UNKNOWN,
                installed=change.installed,
                candidate=candidate,
                origin=package.repository if package else UNKNOWN,
                is_security=any(advisory.is_security for advisory in ours),
                severity=severities[0] if severities else UNKNOWN,
                advisories=tuple(sorted({advisory.identifier for advisory in ours})),
                # A repository without advisories says nothing about CVEs.
                cves=tuple(i for i in sorted(closed) if i.startswith("CVE-")) if ours else UNKNOWN,
                is_kernel=is_kernel(change.name),
            )
        )
    return updates
