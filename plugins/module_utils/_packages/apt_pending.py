# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apt would upgrade, why, and the complete transaction of what the policy selects."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._packages import debian_version
from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt_read import (
    Database,
    Release,
    parse_candidates,
    parse_policy,
    parse_releases,
    parse_simulation,
    read_database,
    read_records,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    UNKNOWN,
    Action,
    Change,
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

_KERNEL = re.compile(r"^linux-image-(?!.*-dbg(sym)?$)")


def is_kernel(name: str) -> bool:
    """Whether a package of this name holds a kernel image, or leads to the newest one."""
    return bool(_KERNEL.match(name))


def read_updates(commands: Commands, selection: Selection, root: Path = Path("/")) -> Updates:
    """Pending updates, the selected ones' transaction, holds and sizes.

    Raises FleetError of kind ``selection_conflict``, or ``command_failed`` where apt cannot make up a transaction.
    """
    database = read_database(commands)
    held = {package.name: package.version for package in database if package.want == "hold" and package.is_installed}
    everything = _simulate(commands, database, ["--ignore-hold"] if held else [], ["dist-upgrade"])
    records = read_records(commands, [(c.name, c.arch, c.candidate) for c in everything if c.candidate is not None])
    pending = _describe(commands, everything, database, records)
    reasons = {
        update.key: reason
        for update in pending
        for reason in [reason_against(update, selection, held)]
        if reason is not None
    }
    forbidden = {
        update.key: reason
        for update in pending
        for reason in [is_forbidden(update, selection, held)]
        if reason is not None
    }
    wanted = {update.key for update in pending if update.installed is not None and update.key not in reasons}
    transaction = _select(
        commands, database, everything, wanted, {u.key: u for u in pending if u.key in forbidden}, root
    )
    judged = with_verdicts(
        pending,
        {change.key for change in transaction},
        reasons,
        forbidden,
        {update.key: update.source for update in pending if update.key in forbidden},
    )
    return Updates(judged, transaction, sorted(held.items()), *_sizes(transaction, records, database))


def read_planned(commands: Commands, planned: Sequence[Change]) -> Updates:
    """Which of the planned changes are still to be made, each with what is installed and what would come today."""
    database = read_database(commands)
    held = {package.name: package.version for package in database if package.want == "hold" and package.is_installed}
    asked = {c.key: c.name if c.arch in (database.native, "all") else c.key for c in planned}
    candidates = parse_candidates(commands.run(["apt-cache", "policy", *asked.values()]).stdout) if asked else {}
    left = []
    for change in planned:
        entry = database.find(change.name, change.arch)
        # What an interrupted change left half done is at the version it was going to; healing finishes it.
        now = entry.version if entry and (entry.is_installed or entry.is_broken) else None
        candidate = None if change.action is Action.REMOVE else candidates.get(asked[change.key])
        if candidate != now and (candidate is not None or change.action is Action.REMOVE):
            action = change.action if change.action is Action.REMOVE or now is None else Action.UPGRADE
            left.append(Change(change.name, change.arch, action, now, candidate))
    records = read_records(commands, [(c.name, c.arch, c.candidate) for c in left if c.candidate is not None])
    return Updates([], left, sorted(held.items()), *_sizes(left, records, database))


def _sizes(
    transaction: Sequence[Change], records: Mapping[Tuple[str, str, str], Mapping[str, str]], database: Database
) -> Tuple[int, int]:
    """Bytes that are downloaded, and by which the disk fills."""
    download = sum(int(_record(records, change).get("Size", 0)) for change in transaction)
    grown = sum(int(_record(records, change).get("Installed-Size", 0)) * 1024 for change in transaction)
    freed = sum(
        entry.size for entry in (database.find(c.name, c.arch) for c in transaction) if entry and entry.is_installed
    )
    return download, grown - freed


def _select(
    commands: Commands,
    database: Database,
    everything: List[Change],
    wanted: "set[str]",
    forbidden: Mapping[str, Update],
    root: Path,
) -> List[Change]:
    """The transaction of the ``wanted`` keys, with dependencies, and without anything ``forbidden``."""
    upgrades = {change.key for change in everything if change.action is Action.UPGRADE}
    if not forbidden and upgrades <= wanted:
        return everything
    if not wanted:
        return []
    with tempfile.TemporaryDirectory(prefix="bankops-fleet-") as folder:
        options = _pin(Path(folder), forbidden, root) if forbidden else []
        # apt's own resolver says which of the wanted can come while the forbidden stay where they are. A dist-upgrade
        # would rather remove a forbidden package than leave others alone.
        feasible = everything
        if forbidden:
            feasible = _simulate(commands, database, [*options, "--with-new-pkgs"], ["upgrade"])
        targets = [f"{c.key}={c.candidate}" for c in feasible if c.key in wanted and c.candidate is not None]
        if not targets:
            return []
        transaction = _simulate(commands, database, options, ["install", *targets])
    refuse_forbidden(transaction, forbidden)
    return transaction


def _pin(folder: Path, forbidden: Mapping[str, Update], root: Path) -> List[str]:
    """Preferences beside the host's own that keep the forbidden packages at what is installed, or away."""
    host = root / "etc/apt/preferences.d"
    for own in sorted(host.glob("*")) if host.is_dir() else []:
        if own.is_file():
            shutil.copyfile(own, folder / own.name)
    stanzas = []
    for update in forbidden.values():
        version, priority = (update.installed, 1001) if update.installed else ("*", -1)
        stanzas.append(f"Package: {update.name}\nPin: version {version}\nPin-Priority: {priority}\n")
    # The first specific entry wins, and files are read in the order of their names.
    (folder / "00bankops-fleet").write_text("\n".join(stanzas), encoding="utf-8")
    return ["-o", f"Dir::Etc::PreferencesParts={folder}"]


def _simulate(commands: Commands, database: Database, options: Sequence[str], verb: Sequence[str]) -> List[Change]:
    done = commands.run(["apt-get", "--simulate", "-o", "APT::Get::AutomaticRemove=false", *options, *verb])
    return parse_simulation(done.stdout, database)


def _describe(
    commands: Commands,
    changes: Sequence[Change],
    database: Database,
    records: Mapping[Tuple[str, str, str], Mapping[str, str]],
) -> List[Update]:
    candidates = [change for change in changes if change.candidate is not None]
    if not candidates:
        return []
    asked = {c.key: c.name if c.arch in (database.native, "all") else c.key for c in candidates}
    tables = parse_policy(commands.run(["apt-cache", "policy", *asked.values()]).stdout)
    releases = parse_releases(commands.run(["apt-cache", "policy"]).stdout)
    updates = []
    for change in candidates:
        candidate = change.candidate or ""
        sources = _releases_up_to(tables.get(asked[change.key], []), releases, change)
        own = sources.get(candidate, [])
        best = next((release for release in own if release.is_security), own[0] if own else None)
        record = _record(records, change)
        updates.append(
            Update(
                name=change.name,
                arch=change.arch,
                source=record.get("Source", change.name).split(" ")[0] if record else UNKNOWN,
                installed=change.installed,
                candidate=candidate,
                origin=str(best) if best else UNKNOWN,
                is_security=any(release.is_security for found in sources.values() for release in found),
                severity=UNKNOWN,
                advisories=(),
                cves=UNKNOWN,
                is_kernel=is_kernel(change.name),
            )
        )
    return updates


def _releases_up_to(
    table: Sequence[Tuple[str, Sequence[str]]], releases: Mapping[str, Release], change: Change
) -> Dict[str, List[Release]]:
    """Releases of the versions above the installed one, up to the candidate.

    A point release supersedes security updates before it, so the candidate's own origin is not enough.
    """
    found: Dict[str, List[Release]] = {}
    for version, descriptions in table:
        newer = change.installed is None or debian_version.compare(version, change.installed) > 0
        if newer and debian_version.compare(version, change.candidate or "") <= 0:
            if change.installed is None and version != change.candidate:
                continue  # For a new package older versions say nothing about what is closed.
            found[version] = [releases[text] for text in descriptions if text in releases]
    return found


def _record(records: Mapping[Tuple[str, str, str], Mapping[str, str]], change: Change) -> Mapping[str, str]:
    empty: Mapping[str, str] = {}
    candidate: Optional[str] = change.candidate
    return records.get((change.name, change.arch, candidate), empty) if candidate else empty
