# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of one source that are made side by side, before it is known what there is to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AT_ONCE = 16
"""Calls that are made at the same time."""


def side_by_side(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result | SourceError]:
    """What ``work`` returns for each item, or the SourceError that it raises, the first that is done first.

    Whatever else it raises is raised here.

    The threads are daemons: a service that hangs keeps no process from ending, as those of an executor would.
    """
    waiting: SimpleQueue[_Item] = SimpleQueue()
    done: SimpleQueue[_Result | Exception] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def run() -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except Empty:
                return
            try:
                done.put(work(item))
            except Exception as problem:  # noqa: BLE001 - raised again below, where it is waited for
                done.put(problem)

    for _thread in range(min(AT_ONCE, len(items))):
        Thread(target=run, daemon=True).start()
    for _item in items:
        outcome = done.get()
        if isinstance(outcome, Exception) and not isinstance(outcome, SourceError):
            raise outcome
        yield outcome
