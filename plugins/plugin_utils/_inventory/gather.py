# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Threads, time limits and failures: every part of every source is read, or it is said which one was not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Any, Protocol

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline

AT_ONCE = 16
"""Scopes of one source that are read at the same time. Each source has its own threads, and none waits for another."""
_GRACE_SECONDS = 1.0
"""After the deadline: who gives up by it says better why than we do."""


class Scoped(Protocol):
    """A source of anything that is read in parts."""

    @property
    def name(self) -> str:
        """The name that its entry in the inventory file gives it."""

    def scopes(self, deadline: Deadline) -> Sequence[Scope]:
        """What there is to be read. Raises SourceError; ScopesError with those that are known besides."""


@dataclass(frozen=True)
class Reader:
    """A source, and how a part of it is read: page by page, raising SourceError."""

    source: Scoped
    read: Callable[[Scope, Deadline], Iterable[Any]]


@dataclass
class Gathered:
    """What was read. A scope is there as a whole, or there is a problem of it."""

    found: dict[Scope, list[Any]] = field(default_factory=dict)
    problems: list[SourceError] = field(default_factory=list)


@dataclass(frozen=True)
class _Outcome:
    """What a thread says: the scopes that its source has (of the scope None), or what a scope has."""

    source: str
    scope: Scope | None
    scopes: tuple[Scope, ...] = ()
    found: list[Any] = field(default_factory=list)
    problems: tuple[SourceError, ...] = ()


def gather(readers: Iterable[Reader], deadline: Deadline) -> Gathered:
    """Read all sources side by side. Scopes and problems come in the order of their names, whoever was first.

    The threads are daemons, for a service that never answers must keep no process from ending.
    """
    outcomes: SimpleQueue[_Outcome] = SimpleQueue()
    waiting: set[tuple[str, Scope | None]] = set()
    for reader in readers:
        waiting.add((reader.source.name, None))
        _start(f"{reader.source.name}: scopes", partial(_read_source, reader, deadline, outcomes))
    found: dict[Scope, list[Any]] = {}
    problems: list[SourceError] = []
    while waiting:
        try:
            outcome = outcomes.get(timeout=deadline.left + _GRACE_SECONDS)
        except Empty:
            problems += [_too_late(source, scope) for source, scope in waiting]
            break
        waiting.discard((outcome.source, outcome.scope))
        waiting.update((outcome.source, scope) for scope in outcome.scopes)
        problems += outcome.problems
        if outcome.scope and not outcome.problems:
            found[outcome.scope] = outcome.found
    return Gathered(
        dict(sorted(found.items(), key=lambda item: str(item[0]))),
        sorted(problems, key=lambda problem: problem.message),
    )


def problems_as_error(
    problems: Sequence[SourceError],
    *,
    places: Mapping[str, str] = MappingProxyType({}),
    remedy: str = "With on_error: mark the rest is used and marked as incomplete, which no plan takes for whole.",
) -> FleetError:
    """All problems in one error, each with its remedy, so that nobody finds them one after the other.

    ``places`` says by the name of a source where it is described: a file and an entry of it.
    """
    count = f"{len(problems)} parts of the sources" if len(problems) > 1 else "A part of the sources"
    lines = "\n".join(
        "- "
        + ": ".join(filter(None, (places.get(problem.scope.source), f"{problem.message}. {problem.remedy}".rstrip())))
        for problem in problems
    )
    return FleetError(
        f"{count} could not be read, so nothing is:\n{lines}",
        kind="source_failed",
        remedy=remedy,
        data={"problems": [{**problem.data, "kind": problem.kind} for problem in problems]},
    )


def _read_source(reader: Reader, deadline: Deadline, outcomes: SimpleQueue[_Outcome]) -> None:
    """Find the scopes of a source, then read them with as many threads as are allowed."""
    name = reader.source.name
    scopes: Iterable[Scope] = ()
    problems: Iterable[SourceError] = ()
    try:
        scopes = reader.source.scopes(deadline)
    except ScopesError as problem:
        scopes, problems = problem.scopes, problem.problems
    except SourceError as problem:
        problems = (problem,)
    except Exception as problem:  # noqa: BLE001 - it is told as a failure of the source
        problems = (_unforeseen(Scope(name), problem),)
    scopes = tuple(dict.fromkeys(scopes))
    outcomes.put(_Outcome(name, None, scopes=scopes, problems=tuple(problems)))
    work: SimpleQueue[Scope] = SimpleQueue()
    for scope in scopes:
        work.put(scope)
    for number in range(min(AT_ONCE, len(scopes))):
        _start(f"{name}: {number}", partial(_read_scopes, reader, work, deadline, outcomes))


def _read_scopes(reader: Reader, work: SimpleQueue[Scope], deadline: Deadline, outcomes: SimpleQueue[_Outcome]) -> None:
    """Read scopes until there is none left."""
    while True:
        try:
            scope = work.get_nowait()
        except Empty:
            return
        problems: tuple[SourceError, ...] = ()
        found: list[Any] = []
        try:
            found = list(reader.read(scope, deadline))
        except SourceError as problem:
            problems = (problem,)
        except Exception as problem:  # noqa: BLE001 - it is told as a failure of the scope
            problems = (_unforeseen(scope, problem),)
        outcomes.put(_Outcome(reader.source.name, scope, found=found, problems=problems))


def _start(name: str, work: Callable[[], None]) -> None:
    threading.Thread(target=work, name=f"inventory {name}", daemon=True).start()


def _too_late(source: str, scope: Scope | None) -> SourceError:
    return SourceError(
        scope or Scope(source),
        "reading",
        "no answer in time",
        kind="timed_out",
        remedy="See whether its API can be reached from here (proxy, private endpoint), or raise timeout.",
    )


def _unforeseen(scope: Scope, problem: Exception) -> SourceError:
    """A failure that no source expected. Its own words are left out: nobody has looked whether they hold secrets."""
    trace = problem.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return SourceError(
        scope,
        "reading",
        f"unforeseen {type(problem).__name__}{place}",
        kind="unforeseen",
        remedy="This is a fault of the collection or of a library: please report it with these lines.",
    )
