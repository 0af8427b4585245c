# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a planned transaction, and the way back: exactly what was planned, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages import unit
from ansible_collections.bankops.fleet.plugins.module_utils._packages.deadline import parse_not_after, require_time
from ansible_collections.bankops.fleet.plugins.module_utils._packages.locks import SYSTEM_CLOCK, Clock, wait_for_locks
from ansible_collections.bankops.fleet.plugins.module_utils._packages.managers import require_backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.model import (
    Action,
    Change,
    read_transaction,
    sorted_changes,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.report import (
    compare_transactions,
    describe,
    version_lines,
)
from ansible_collections.bankops.fleet.plugins.module_utils._packages.restart import Restart, restart
from ansible_collections.bankops.fleet.plugins.module_utils._packages.store import (
    Run,
    Store,
    archive,
    read_json,
    verified_paths,
    write_json,
)

Versions = Dict[str, Optional[str]]


class Direction(str, Enum):
    """The two ways; the value names the run's folder and unit."""

    APPLY = "apply"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Order:
    """What to do. Times are in seconds; ``not_after`` is an RFC 3339 time, or seconds from now."""

    plan: str
    transaction: Sequence[Mapping[str, Any]]
    manager: str = "auto"
    restart: Restart = Restart.NONE
    restart_units: Sequence[str] = ()
    lock_timeout: float = 600
    timeout: float = 3600
    estimated_seconds: float = 0
    not_after: Optional[str] = None
    check_mode: bool = False


def apply(commands: Commands, order: Order, root: Path = Path("/"), clock: Clock = SYSTEM_CLOCK) -> Dict[str, Any]:
    """Carry out the transaction from the staged packages; returns what ``updates`` returns (docs/contracts.md).

    Raises FleetError, before any change, of kind ``bad_transaction``, ``bad_plan``, ``manager_missing``,
    ``no_systemd``, ``no_time``, ``lock_held``, ``interrupted``, ``not_staged``, ``checksum_mismatch`` or
    ``transaction_mismatch``; later of kind ``still_running``, ``change_failed`` or ``restart_failed``; at any time
    ``store_unusable``, where the files that tell of the change cannot be read or written.
    """
    return _carry_out(commands, order, Direction.APPLY, root, clock)


def roll_back(commands: Commands, order: Order, root: Path = Path("/"), clock: Clock = SYSTEM_CLOCK) -> Dict[str, Any]:
    """Bring back the exact versions from before the transaction; returns what ``updates`` returns.

    Works also on a host where the transaction stopped half-way. Raises FleetError as :func:`apply`, with
    ``cannot_roll_back`` before any change where a version was not kept, and ``rollback_failed`` after it.
    """
    return _carry_out(commands, order, Direction.ROLLBACK, root, clock)


def _carry_out(commands: Commands, order: Order, direction: Direction, root: Path, clock: Clock) -> Dict[str, Any]:
    try:
        return _Execution(commands, order, direction, root, clock).carry_out()
    except OSError as problem:
        raise FleetError(
            f"The files of the change cannot be used: {problem}.",
            kind="store_unusable",
            remedy="Make room below /var/lib/bankops-fleet, and see that the file system can be written.",
        ) from problem


@dataclass(frozen=True)
class _Attached:
    status: Optional[int]
    before: Versions
    reported: bool


class _Execution:
    def __init__(self, commands: Commands, order: Order, direction: Direction, root: Path, clock: Clock) -> None:
        self.commands, self.order, self.direction = commands, order, direction
        self.root, self.clock = root, clock
        self.not_after = parse_not_after(order.not_after, datetime.now(timezone.utc))
        self.planned = read_transaction(order.transaction)
        forward = direction is Direction.APPLY
        self.changes = self.planned if forward else sorted_changes(change.reversed() for change in self.planned)
        self.store = Store.of(order.plan, root)
        self.run = self.store.run(direction.value)
        self.other = self.store.run((Direction.ROLLBACK if forward else Direction.APPLY).value)
        self.backend = require_backend(commands, order.manager, root)
        self.before: Versions = {}

    def carry_out(self) -> Dict[str, Any]:
        unit.require_systemd(self.root)
        started = unit.read_command(self.other) is not None and unit.read_result(self.other) is None
        if started and unit.is_active(self.commands, self.other):
            raise FleetError(f"{self.other.unit} is at work.", kind="still_running", remedy="Wait for its end.")
        if self.order.check_mode:
            return self._predict()
        attached = self._attach()
        self.before = attached.before if attached else self.backend.versions(self.changes)
        if attached and attached.status is not None and not attached.reported:
            return self._finish(attached.status, changed=True, reattached=True)
        if self.direction is Direction.APPLY:
            self._heal()
        remaining = self._remaining()
        if not remaining:
            if attached and attached.status == 0:
                return self._finish(0, changed=False, reattached=True)
            if attached and attached.status is None:
                self._restore_marks()
            return self._report(changed=attached is not None, reattached=attached is not None)
        changed = self._start_over()
        return self._report(changed=changed, reattached=attached is not None and attached.status is None)

    def _attach(self) -> Optional[_Attached]:
        """What an earlier call started: waits for it while it is at work. None when there was nothing."""
        command = unit.read_command(self.run)
        if command is None:
            return None
        status = unit.wait(self.commands, self.run, self.order.timeout, self.clock)
        return _Attached(status, command["before"], (self.run.folder / "reported").exists())

    def _heal(self) -> None:
        """Finish what an interrupted package manager left, under our own unit as well."""
        command = self.backend.heal_command()
        if command is None or not self.backend.interrupted():
            return
        self._wait_for_locks()
        heal = self.store.run("heal")
        self._clear(heal)
        self._start(heal, command, marks=[])
        status = unit.wait(self.commands, heal, self.order.timeout, self.clock)
        left = self.backend.interrupted()
        if status != 0 or left:
            raise FleetError(
                f"An interrupted transaction could not be finished: {'; '.join(left) or 'see the log'}.",
                kind="interrupted",
                remedy="Repair it by hand (dpkg --configure -a, apt-get --fix-broken install), or roll back.",
                data={"details": left, "log": unit.read_output(heal)[-4000:]},
            )

    def _remaining(self) -> List[Change]:
        now = self.backend.versions(self.changes)
        broken = set(self.backend.broken(self.changes))
        return [change for change in self.changes if now[change.key] != change.candidate or change.key in broken]

    def _start_over(self) -> bool:
        """Carry out what remains; whether anything did, for whoever held the lock may have done it."""
        require_time(self.not_after, self.order.estimated_seconds)
        self._wait_for_locks()
        require_time(self.not_after, self.order.estimated_seconds)
        remaining = self._remaining()
        if not remaining:
            return False
        files = self._files(remaining)
        if self.direction is Direction.APPLY:
            self._require_planned(remaining, files)
            commands = [self.backend.apply_command(remaining, files)]
        else:
            self._require_known(remaining)
            commands = self.backend.roll_back_commands(remaining, files)
        marks = self._marks()
        self._clear(self.other)
        for command in commands:
            self._clear(self.run)
            self._start(self.run, command, marks)
            status = unit.wait(self.commands, self.run, self.order.timeout, self.clock)
            if status == 0 and not self._remaining():
                break
        self._verify(status)
        return True

    def _finish(self, status: int, *, changed: bool, reattached: bool) -> Dict[str, Any]:
        self._verify(status)
        return self._report(changed=changed, reattached=reattached)

    def _verify(self, status: Optional[int]) -> None:
        """Raises FleetError unless the run succeeded and every package is where it should be."""
        left = self._remaining()
        if status == 0 and not left:
            return
        self._mark_reported()
        after = self.backend.versions(self.changes)
        cause = "was killed" if status is None else f"ended with status {status}"
        astray = f"; not as planned: {', '.join(str(change) for change in left)}" if left else ""
        applying = self.direction is Direction.APPLY
        raise FleetError(
            f"{'The transaction' if applying else 'The rollback'} {cause}{astray}.",
            kind="change_failed" if applying else "rollback_failed",
            remedy="Roll back (state rolled_back)." if applying else "Repair the host by hand before it serves again.",
            data={
                "status": status,
                "before": self.before,
                "after": after,
                "broken": self.backend.broken(self.changes),
                "log": unit.read_output(self.run)[-4000:],
            },
        )

    def _report(self, *, changed: bool, reattached: bool) -> Dict[str, Any]:
        after = self.backend.versions(self.changes)
        fresh = changed and not (self.run.folder / "reported").exists()
        if self.direction is Direction.ROLLBACK:
            (self.store.folder / "automatic.json").unlink(missing_ok=True)
        chosen = self.order.restart
        # Restarting what is stale can be repeated at no cost; what the caller lists is restarted once.
        if chosen is Restart.LISTED and not fresh:
            chosen = Restart.NONE
        self._mark_reported()
        state = restart(self.commands, chosen, self.order.restart_units, self.root)
        result = {
            "changed": changed or bool(state.restarted),
            "before": self.before,
            "after": after,
            "transaction": [c.as_data() for c in self.changes if self.before[c.key] != after[c.key]],
            "restarted": state.restarted,
            "stale": state.stale,
            "reboot": state.reboot,
            "log": unit.read_output(self.run)[-4000:],
            "seconds": unit.read_seconds(self.run),
            "reattached": reattached,
            "diff": version_lines(self.before if changed else after, after),
        }
        if state.failures:
            raise FleetError(
                f"These units did not come back: {', '.join(entry['unit'] for entry in state.failures)}.",
                kind="restart_failed",
                remedy="Look at their journals, or roll back.",
                data={**result, "failures": state.failures},
            )
        return result

    def _predict(self) -> Dict[str, Any]:
        """Check mode: what would change, proven by the manager's own simulation."""
        self.before = self.backend.versions(self.changes)
        remaining = self._remaining()
        if remaining and self.direction is Direction.APPLY:
            staged = self.store.files("staged")
            # In check mode nothing was staged; the repositories then tell as much.
            files = self._files(remaining) if staged else None
            self._require_planned(remaining, files)
        elif remaining:
            self._files(remaining)
        after = {**self.before, **{change.key: change.candidate for change in remaining}}
        state = restart(self.commands, Restart.NONE, (), self.root)
        return {
            "changed": bool(remaining),
            "before": self.before,
            "after": after,
            "transaction": [change.as_data() for change in remaining],
            "restarted": [],
            "stale": state.stale,
            "reboot": state.reboot,
            "log": "",
            "seconds": 0.0,
            "reattached": False,
            "diff": version_lines(self.before, after),
        }

    def _files(self, changes: Sequence[Change]) -> List[str]:
        """The verified package files of the changes."""
        forward = self.direction is Direction.APPLY
        part = "staged" if forward else "kept"
        found = self.store.files(part)
        needed = [change for change in changes if change.action is not Action.REMOVE]
        missing = [c for c in needed if c.key not in found or found[c.key].version != c.candidate]
        if missing:
            names = describe(missing)
            raise FleetError(
                f"{'Not staged' if forward else 'Not kept'} on this host: {names}.",
                kind="not_staged" if forward else "cannot_roll_back",
                remedy="Run the stage step of this plan first." if forward else "Restore these from a backup.",
                data={"missing": [change.as_data() for change in missing]},
            )
        return verified_paths(self.store.folder / part, [found[change.key] for change in needed])

    def _require_planned(self, remaining: List[Change], files: Optional[List[str]]) -> None:
        differences = compare_transactions(remaining, self.backend.simulate(remaining, files))
        if differences:
            raise FleetError(
                f"The host would carry out another transaction than the planned one: {'; '.join(differences)}.",
                kind="transaction_mismatch",
                remedy="The host changed since the plan was made: make a new plan.",
                data={"differences": differences},
            )

    def _require_known(self, remaining: List[Change]) -> None:
        """A rollback leads back from the planned version: what came later is not the plan's to take back."""
        now = self.backend.versions(remaining)
        later = [f"{c.key} is at {now[c.key]}" for c in remaining if now[c.key] not in (None, c.installed, c.candidate)]
        if later:
            raise FleetError(
                f"Changed again since: {', '.join(later)}.",
                kind="cannot_roll_back",
                remedy="Roll back the later plan first.",
                data={"later": later},
            )

    def _wait_for_locks(self) -> None:
        wait_for_locks(self.backend.lock_patterns, self.order.lock_timeout, self.clock, self.root)

    def _marks(self) -> List[str]:
        """What must carry the automatic-install mark afterwards: what did before, and dependencies that are new.

        The marks from before the first run count: a run that was interrupted may have cleared some.
        """
        path = self.store.folder / "automatic.json"
        saved = read_json(path)
        if saved is None:
            saved = {"before": sorted(self.backend.automatic() & {change.key for change in self.planned})}
            if self.direction is Direction.APPLY:
                write_json(path, saved)
        keys = set(saved["before"])
        if self.direction is Direction.APPLY:
            keys |= {change.key for change in self.changes if change.action is Action.INSTALL}
        keys -= {change.key for change in self.changes if change.action is Action.REMOVE}
        return self.backend.mark_names(sorted(keys))

    def _restore_marks(self) -> None:
        """For a run that was killed after the packages were there, and before their marks were."""
        marks = self._marks()
        if marks:
            self.commands.run([*self.backend.mark_command, *marks])

    def _start(self, run: Run, command: List[str], marks: List[str]) -> None:
        unit.start(
            self.commands,
            run,
            command,
            environment=self.backend.environment,
            mark_command=self.backend.mark_command,
            marks=marks,
            facts={"before": self.before, "transaction": [change.as_data() for change in self.changes]},
        )

    def _clear(self, run: Run) -> None:
        if run.folder.exists():
            archive(run.folder)

    def _mark_reported(self) -> None:
        if self.run.folder.exists():
            (self.run.folder / "reported").touch()
