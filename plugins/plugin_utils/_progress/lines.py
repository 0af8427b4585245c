# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in plain lines: one for each host that came to its end, each batch and each wave, and a summary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import InService
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration, names
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.board import AttemptBoard, planned_seconds
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import Done, Failure
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import Batch
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen_text import for_screen, sentence_for_screen

SHOWN_NAMES = 8
SHOWN_TROUBLES = 20


def counted(counts: Mapping[str, int]) -> str:
    """``3 verified, 1 rolled back``; "none" when there is nobody."""
    return ", ".join(f"{number} {show(key).replace('_', ' ')}" for key, number in counts.items() if number) or "none"


def hosts_in_words(number: int) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} host{'' if number == 1 else 's'}"


def opening(board: AttemptBoard) -> str:
    """What an attempt has before it."""
    outlook = board.outlook
    waves = len(board.waves())
    return (
        f"Tenant {show(outlook.tenant)}, cycle {show(outlook.cycle)}, plan {show(outlook.plan[:16])}: "
        f"attempt {outlook.attempt} ({show(outlook.purpose)}) has {hosts_in_words(outlook.hosts)} of "
        f"{outlook.population} in {waves} wave{'' if waves == 1 else 's'} before it"
        f"{_about(planned_seconds(outlook.batches))}; {budget(board)}."
    )


def budget(board: AttemptBoard) -> str:
    """How much of the failure budget is spent."""
    return f"failure budget {len(board.spent())} of {board.outlook.max_failed} spent"


def batch_begins(batch: Batch) -> str:
    """Which batch begins, and with whom."""
    return (
        f"{_batch(batch)} begins with {hosts_in_words(len(batch.hosts))}{_about(planned_seconds([batch]))}: "
        f"{names(list(batch.hosts), SHOWN_NAMES)}"
    )


def batch_refused(batch: Batch, why: str) -> str:
    """Why a batch does not begin."""
    return f"{_batch(batch)} does not begin: {sentence_for_screen(why)}"


def wave_is_done(board: AttemptBoard, batch: Batch) -> str:
    """How a wave came out."""
    wave = board.wave(batch.wave)
    hosts = sum(len(each.hosts) for each in wave)
    return f"{_wave(batch)} is done: {hosts_in_words(hosts)}, {counted(board.counts(wave))}; {budget(board)}."


def host_is_done(host: str, done: Done, batch: Batch | None, seconds: float | None) -> list[str]:
    """What became of a host, and in full what failed on its way."""
    facts = [f"wave {show(batch.wave)} batch {batch.number}"] if batch else []
    facts += [duration(round(seconds))] if seconds is not None else []
    line = _sentence(host, done, f" ({', '.join(facts)})" if facts else "")
    return [line, *(text for failure in done.failures for text in _failure(failure, done.reason))]


def not_attempted(done: Mapping[str, Done]) -> Iterator[str]:
    """Hosts that nobody came to, which may be most of a fleet: a line for each reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for host, each in done.items():
        by_reason[each.reason].append(host)
    for reason, hosts in by_reason.items():
        yield f"{hosts_in_words(len(hosts))} not attempted: {sentence_for_screen(reason)}: {names(hosts, SHOWN_NAMES)}"


def summary(board: AttemptBoard, seconds: float, *, interrupted: bool = False) -> Iterator[str]:
    """How an attempt ended, and who needs attention."""
    outlook, counts = board.outlook, board.counts()
    left = outlook.population - sum(counts.values())
    open_ones = Counter({"left": left}) if left > 0 else Counter()
    state = "was interrupted" if interrupted else "ended"
    yield (
        f"Tenant {show(outlook.tenant)}: attempt {outlook.attempt} ({show(outlook.purpose)}) {state} after "
        f"{duration(round(seconds))}: {hosts_in_words(outlook.population)}, {counted(counts + open_ones)}; "
        f"{budget(board)}."
    )
    troubles = [(host, done) for host, done in sorted(board.done.items()) if not done.well]
    yield from (f"  - {_sentence(host, done, '')}" for host, done in troubles[:SHOWN_TROUBLES])
    if len(troubles) > SHOWN_TROUBLES:
        yield f"  - and {len(troubles) - SHOWN_TROUBLES} more"


def _sentence(host: str, done: Done, facts: str) -> str:
    service = f", {InService(done.in_service).words}" if done.in_service else ""
    reason = f": {sentence_for_screen(done.reason)}" if done.reason else ""
    return f"{show(host)}: {show(done.outcome).replace('_', ' ')}{service}{facts}{reason}"


def _failure(failure: Failure, said: str) -> Iterator[str]:
    """A step that failed, as far as the line of its host has not said it."""
    message = failure.message.strip()
    told = [("", "" if message in said else message), ("| ", failure.log.rstrip())]
    told.append(("Remedy: ", failure.remedy))
    lines = [f"      {mark}{line}" for mark, text in told if text for line in for_screen(text).split("\n")]
    yield from [f"    {show(failure.step)}:", *lines] if lines else []


def _batch(batch: Batch) -> str:
    return f"{_wave(batch)}, batch {batch.number} of {batch.of},"


def _wave(batch: Batch) -> str:
    return f"Tenant {show(batch.tenant)}: wave {show(batch.wave)}"


def _about(seconds: int) -> str:
    return f", about {duration(seconds)}" if seconds else ""
