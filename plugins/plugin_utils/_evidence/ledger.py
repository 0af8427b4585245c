# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ledger: JSON lines, each bound to the one before by its hash, so that none is changed, moved or taken out unseen.

``hash`` is the SHA-256 of the canonical entry (sorted keys, no spaces, UTF-8) without the key ``hash``; ``prev`` is the
hash of the line before, 64 zeroes in the first. What the chain alone cannot show is that lines were cut off at the end:
the reports name the count and the last hash, and the seal signs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import (
    canonical,
    decoded,
    digest,
    digest_of_bytes,
    encoded,
    is_whole_number,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact
from ansible_collections.bankops.fleet.plugins.plugin_utils._moments import moment_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import State

CLOCK_TOLERANCE = 2.0
"""Seconds by which the clocks of two controllers may differ before an entry says so."""

START = "0" * 64
"""The ``prev`` of a ledger's first entry."""

_KEYS = frozenset(
    ("seq", "time", "plan", "attempt", "cycle", "tenant", "host", "phase", "outcome", "data", "prev", "hash")
)
# Tuples, for what a damaged entry holds in their place need not be hashable.
_OUTCOMES = tuple(outcome.value for outcome in EntryOutcome)
_HOST_OUTCOMES = tuple(outcome.value for outcome in HostOutcome)
_PHASES = tuple(phase.value for phase in Phase)


@dataclass(frozen=True)
class Verification:
    """What a check of a whole ledger found. ``head`` is the hash of its last entry; problems name line and cause."""

    ok: bool
    count: int
    head: str
    problems: tuple[str, ...]


def build_entry(
    previous_line: bytes | None,
    *,
    plan: str,
    attempt: int,
    cycle: str,
    tenant: str,
    host: str | None,
    phase: Phase,
    outcome: EntryOutcome | HostOutcome,
    data: dict[str, Any],
    time: datetime,
) -> bytes:
    """The line that follows ``previous_line`` (None in an empty ledger), without its line feed.

    ``data`` is plain data, and redacted. Raises FleetError of kind ``ledger_damaged`` when the line before is no entry.
    """
    seq, prev = _follow(previous_line)
    entry = {
        "seq": seq,
        "time": time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "plan": plan,
        "attempt": attempt,
        "cycle": cycle,
        "tenant": tenant,
        "host": host,
        "phase": phase.value,
        "outcome": outcome.value,
        "data": data,
        "prev": prev,
    }
    return canonical({**entry, "hash": digest(entry)})


def build_entry_now(previous_line: bytes | None, *, data: dict[str, Any], **about: Any) -> bytes:
    """The line that follows, made while the ledger is locked, so that times follow the order of the entries.

    Its time is never before that of the entry before: where the clock is, the entry gets that time, and says by how
    much the clock is behind (``clock_behind_seconds``). The other arguments are those of ``build_entry``.
    """
    now = datetime.now(timezone.utc)
    behind = clock_behind(previous_line, now)
    noted = {"clock_behind_seconds": round(behind)} if behind > CLOCK_TOLERANCE else {}
    return build_entry(previous_line, data={**data, **noted}, time=now + timedelta(seconds=behind), **about)


def record(
    state: State,
    *,
    plan: str,
    attempt: int,
    cycle: str,
    tenant: str,
    host: str | None,
    phase: Phase,
    outcome: EntryOutcome | HostOutcome,
    data: dict[str, Any],
) -> None:
    """Append an entry to the plan's ledger; it is safe on disk when this returns. Raises FleetError and OSError.

    ``data`` is redacted here, so that nobody can forget it. The time is as ``build_entry_now`` has it.
    """
    # Before the lock is taken: everybody else waits for it.
    cleaned = redact(data)

    def build(previous_line: bytes | None) -> bytes:
        return build_entry_now(
            previous_line,
            plan=plan,
            attempt=attempt,
            cycle=cycle,
            tenant=tenant,
            host=host,
            phase=phase,
            outcome=outcome,
            data=cleaned,
        )

    state.append(tenant, plan, build)


def clock_behind(last_line: bytes | None, now: datetime) -> float:
    """By how many seconds ``now`` is before the ledger's last entry; 0 where it is not, or there is none.

    Raises FleetError of kind ``ledger_damaged`` when the line is no entry.
    """
    if last_line is None:
        return 0.0
    last = _time_of(_parse(last_line, "The last line of the ledger"))
    if last is None:
        raise _damaged("The last line of the ledger")
    return max(0.0, (last - now).total_seconds())


def read_entries(lines: Iterable[bytes], checker: Checker | None = None) -> Iterator[dict[str, Any]]:
    """The entries of a ledger, in order. Raises FleetError (``ledger_damaged``) where a line is none.

    They are not verified; a ``checker`` looks at them in passing.
    """
    for number, line in enumerate(lines, start=1):
        entry = checker.take(line) if checker else _parse(line, f"Line {number} of the ledger")
        if entry is None:
            raise _damaged(f"Line {number} of the ledger")
        yield entry


def verify(lines: Iterable[bytes]) -> Verification:
    """Check every line of a ledger: its form, its hash, its place in the chain, and that all belong to one plan."""
    checker = Checker()
    for line in lines:
        checker.take(line)
    return checker.result()


class Checker:
    """Checks the lines of a ledger in their order, for whoever reads them in the same pass."""

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._prev, self._count = START, 0
        self._owner: tuple[str, str, str] | None = None
        self._latest: datetime | None = None

    def take(self, line: bytes) -> dict[str, Any] | None:
        """The entry of the next line; None where it is none."""
        self._count += 1
        try:
            entry = _parse(line, f"Line {self._count}")
        except FleetError as problem:
            self._problems.append(problem.message)
            # The next line cannot be compared with this one; its own hash still can.
            self._prev = ""
            return None
        self._problems += [f"Line {self._count}: {problem}." for problem in self._problems_of(entry, line)]
        moment = _time_of(entry)
        if moment is None or (self._latest and moment < self._latest):
            self._problems.append(
                f"Line {self._count}: its time {_shown(entry['time'])} is none, or before that of the line before."
            )
        self._prev, self._latest = entry["hash"], moment or self._latest
        return entry

    def result(self) -> Verification:
        """What was found in all lines so far."""
        return Verification(not self._problems, self._count, self._prev, tuple(self._problems))

    def _problems_of(self, entry: dict[str, Any], line: bytes) -> Iterator[str]:
        owner = (entry["tenant"], entry["plan"], entry["cycle"])
        self._owner = self._owner or owner
        is_canonical, found = _form_and_hash(entry, line)
        if not is_canonical:
            yield "it is not in canonical form"
        if found != entry["hash"]:
            yield "its content does not match its hash"
        if self._prev and entry["prev"] != self._prev:
            yield "it does not follow the line before"
        if entry["seq"] != self._count:
            yield f"its number is {entry['seq']}"
        if owner != self._owner:
            yield "it belongs to another plan, cycle or tenant"
        allowed = _HOST_OUTCOMES if entry["phase"] == Phase.OUTCOME else _OUTCOMES
        if entry["phase"] not in _PHASES or entry["outcome"] not in allowed:
            yield f"phase {_shown(entry['phase'])} with outcome {_shown(entry['outcome'])} is unknown"


def _form_and_hash(entry: dict[str, Any], line: bytes) -> tuple[bool, str]:
    """Whether a line is in canonical form, and the hash of its content.

    What the quick encoder writes in the same way is in that form, and the content is the line without its hash. The two
    differ about the digits of some fractions and about numbers beyond 64 bits, so that any other line is looked at
    with the canonical one.
    """
    own = f'"hash":"{entry["hash"]}",'.encode() if isinstance(entry["hash"], str) else b""
    if own and line.count(own) == 1 and _quickly(entry) == line:
        return True, digest_of_bytes(line.replace(own, b""))
    try:
        exact = json.loads(line)
        return canonical(exact) == line, digest({key: value for key, value in exact.items() if key != "hash"})
    except RecursionError:
        # Nested as no entry is.
        return False, ""


def _quickly(entry: dict[str, Any]) -> bytes | None:
    try:
        return encoded(entry)
    except TypeError:
        return None


def _follow(previous_line: bytes | None) -> tuple[int, str]:
    """The number and the ``prev`` of the next entry."""
    if previous_line is None:
        return 1, START
    entry = _parse(previous_line, "The last line of the ledger")
    return entry["seq"] + 1, entry["hash"]


def read_line(line: bytes) -> Any:
    """The value that a line of a ledger stands for; None where it is no JSON, or nested beyond all measure."""
    with suppress(ValueError):
        return decoded(line)
    return None


def _parse(line: bytes, place: str) -> dict[str, Any]:
    entry = read_line(line)
    if not isinstance(entry, dict) or set(entry) != _KEYS or not is_whole_number(entry["seq"]):
        raise _damaged(place)
    return entry


def _time_of(entry: dict[str, Any]) -> datetime | None:
    """The time of an entry; None where that is no time as entries have it."""
    try:
        return moment_of(entry["time"])
    except ValueError:
        return None


def _shown(value: Any) -> str:
    """A value that should be a text, for a message. What it is instead may be as large and as nested as anything."""
    return repr(value[:40]) if isinstance(value, str) else f"of type {type(value).__name__}"


def _damaged(place: str) -> FleetError:
    return FleetError(
        f"{place} is not an entry of a ledger.",
        kind="ledger_damaged",
        remedy="Compare it with a copy; nothing is applied on a ledger that cannot be trusted.",
    )
