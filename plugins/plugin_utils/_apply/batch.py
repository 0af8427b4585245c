# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a batch may start: its wave's turn has come, and the wave before has soaked and is still well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.progress import Progress
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import HostOutcome

_PROVING = frozenset({HostOutcome.VERIFIED, HostOutcome.UNCHANGED})


@dataclass(frozen=True)
class Turn:
    """A batch's place in its plan, and when its wave has soaked (None: it may start at once)."""

    wave: str
    batch: int
    first_of_wave: bool
    last_of_wave: bool
    soaked_at: datetime | None
    wave_before: dict[str, Any] | None


def turn_of(head: dict[str, Any], progress: Progress, hosts: list[str], now: datetime, *, simulated: bool) -> Turn:
    """The turn of the batch that ``hosts`` are (a part of).

    When ``simulated`` (check mode) the waves before need not be complete, because nothing completes them.

    Raises FleetError: ``not_a_batch`` when the plan has no batch with all of them, ``wave_incomplete`` and
    ``wave_unproven`` for the waves before.
    """
    for index, wave in enumerate(head["waves"]):
        for number, batch in enumerate(wave["batches"]):
            if set(hosts) <= set(batch):
                soaked_at = None if simulated else _require_waves_before(head, progress, index)
                return Turn(
                    wave=wave["name"],
                    batch=number + 1,
                    first_of_wave=_all_untouched(progress, wave["batches"], hosts),
                    last_of_wave=_all_others_done(progress, wave["batches"], hosts),
                    soaked_at=soaked_at if soaked_at and soaked_at > now else None,
                    wave_before=None if simulated else _wave_before(head, index),
                )
    raise FleetError(
        f"The plan has no batch with {', '.join(hosts)} together.",
        kind="not_a_batch",
        remedy="Leave hosts and serial of the play to patch_apply.yml.",
    )


def require_waves_before(
    head: dict[str, Any], progress: Progress, host: str, now: datetime, *, simulated: bool = False
) -> None:
    """Whether a host's wave may begin: what the guard of a single host asks.

    Raises FleetError: those of ``turn_of``, ``soaking``, and ``wave_unseen`` and ``wave_unwell`` when the hosts of the
    wave before were not looked at since, or are not well any more.
    """
    index = next(number for number, wave in enumerate(head["waves"]) for batch in wave["batches"] if host in batch)
    if simulated:
        return
    soaked_at = _require_waves_before(head, progress, index)
    if soaked_at and soaked_at > now:
        raise FleetError(
            f"The wave before {head['waves'][index]['name']} soaks until {soaked_at:%Y-%m-%dT%H:%M:%SZ}.",
            kind="soaking",
            remedy="Run patch_apply.yml again then.",
        )
    before = _wave_before(head, index)
    if before is None:
        return
    unseen = hosts_to_look_at(progress, before)
    if unseen:
        raise FleetError(
            f"Since wave {before['name']} has soaked, nobody has looked at {', '.join(unseen[:10])}.",
            kind="wave_unseen",
            remedy="Run patch_apply.yml from its beginning, which looks first.",
        )
    _refuse_unwell(progress, before)


def hosts_to_look_at(progress: Progress, wave: dict[str, Any]) -> list[str]:
    """The verified hosts of a complete wave whose health since then is not known to this attempt.

    A wave that need not soak, and that this very attempt has just verified, is known well enough.
    """
    current = progress.current.number if progress.current else 0
    hosts = [host for batch in wave["batches"] for host in batch]
    verified = [host for host in hosts if _is(progress, host, HostOutcome.VERIFIED)]
    if wave["soak_minutes"] == 0 and all(progress.outcomes[host].attempt == current for host in verified):
        return []
    return [host for host in verified if not _seen_since(progress, host, current, wave["soak_minutes"])]


def _seen_since(progress: Progress, host: str, attempt: int, soak_minutes: int) -> bool:
    look = progress.looks.get(host)
    soaked_at = progress.outcomes[host].time + timedelta(minutes=soak_minutes)
    return look is not None and look.attempt == attempt and look.time >= soaked_at


def _refuse_unwell(progress: Progress, wave: dict[str, Any]) -> None:
    unwell = {
        host: progress.looks[host].reason
        for batch in wave["batches"]
        for host in batch
        if _is(progress, host, HostOutcome.VERIFIED) and host in progress.looks and not progress.looks[host].well
    }
    if unwell:
        named = "; ".join(f"{host}: {reason}" for host, reason in sorted(unwell.items())[:5])
        raise FleetError(
            f"Wave {wave['name']} was verified, and is not well any more: {named}",
            kind="wave_unwell",
            remedy="Mend these hosts, or roll them back with patch_rollback.yml.",
        )


def _wave_before(head: dict[str, Any], index: int) -> dict[str, Any] | None:
    """The last wave before the one at ``index`` that has hosts."""
    return next((wave for wave in reversed(head["waves"][:index]) if wave["batches"]), None)


def _is(progress: Progress, host: str, outcome: HostOutcome) -> bool:
    done = progress.outcomes.get(host)
    return done is not None and done.outcome is outcome


def _require_waves_before(head: dict[str, Any], progress: Progress, index: int) -> datetime | None:
    """When the soak of the last wave before ends; None without one."""
    soaked_at = None
    for wave in head["waves"][:index]:
        hosts = [host for batch in wave["batches"] for host in batch]
        if not hosts:
            continue
        left = [host for host in hosts if not _was_attempted(progress, host)]
        if left:
            raise FleetError(
                f"Wave {wave['name']} is not complete: {', '.join(sorted(left)[:10])}.",
                kind="wave_incomplete",
                remedy="Complete it with a further attempt on the same plan.",
            )
        if not any(progress.outcomes[host].outcome in _PROVING for host in hosts):
            raise FleetError(
                f"Wave {wave['name']} proved nothing: none of its hosts was patched and verified.",
                kind="wave_unproven",
                remedy="Remove what kept them back, and run patch_apply.yml again.",
            )
        last = max(progress.outcomes[host].time for host in hosts)
        soaked_at = last + timedelta(minutes=wave["soak_minutes"])
    return soaked_at


def _was_attempted(progress: Progress, host: str) -> bool:
    done = progress.outcomes.get(host)
    return done is not None and done.outcome is not HostOutcome.NOT_ATTEMPTED


def _all_untouched(progress: Progress, batches: list[list[str]], hosts: list[str]) -> bool:
    """Nobody else of the wave was attempted yet, so this batch is its first."""
    others = [
        progress.outcomes[host]
        for batch in batches
        for host in batch
        if host in progress.outcomes and host not in hosts
    ]
    return all(done.outcome is HostOutcome.NOT_ATTEMPTED for done in others)


def _all_others_done(progress: Progress, batches: list[list[str]], hosts: list[str]) -> bool:
    return all(_was_attempted(progress, host) for batch in batches for host in batch if host not in hosts)
