# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live view of a run: a few lines at the bottom of a terminal, drawn anew several times a second.

Every text is put in as text, never as rich's markup, for it may come from a host.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.summary import duration
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.board import AttemptBoard, Board, InWork
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.lines import budget, counted
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outlook import Batch

with suppress(ImportError):
    # The callback says that it is missing.
    from rich.console import Console
    from rich.progress_bar import ProgressBar
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

SMALLEST = 20
"""Columns; in a narrower terminal lines are cut."""

BAR_FROM = 60
"""Columns from which on there is room for a bar."""

BAR = 24
SHOWN_WAVES = 6
SHARE_OF_SCREEN = 0.6
"""The view takes no more than this of the terminal's lines: what is printed above it stays readable."""

STYLES = {"verified": "green", "failed": "bold red", "unreachable": "bold red", "rolled_back": "yellow"}


@dataclass(frozen=True)
class Size:
    """A terminal's columns and lines."""

    columns: int
    lines: int


def clock(seconds: float) -> str:
    """Time that goes by while one looks: ``0:05``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class LiveView:
    """Draws a board. ``coloured`` is off where the user wants no colours: nothing is said by colour alone."""

    def __init__(self, board: Board, *, coloured: bool) -> None:
        self._board = board
        self._coloured = coloured

    def draw(self, size: Size, now: float) -> list[str]:
        """The lines of the view, each shorter than the terminal is wide, with colours as escape sequences."""
        columns = max(SMALLEST, size.columns) - 1
        room = max(1, int(size.lines * SHARE_OF_SCREEN))
        file = io.StringIO()
        console = Console(
            file=file,
            width=columns,
            # With both, rich asks no terminal, which it would take for 80 columns wide where TERM is dumb.
            height=room,
            force_terminal=True,
            color_system="standard" if self._coloured else None,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        with_bar = columns >= BAR_FROM
        parts: list[Rule | Table | Text] = [self._title(now)]
        for attempt in self._board.open_attempts():
            parts += self._attempt(attempt, now, with_bar=with_bar)
        fixed = len(parts) + sum(part.row_count - 1 for part in parts if isinstance(part, Table))
        parts += self._in_work(now, room - fixed)
        for part in parts:
            console.print(part, no_wrap=True, overflow="ellipsis", crop=True)
        return file.getvalue().splitlines()[:room]

    def _title(self, now: float) -> Rule:
        board = self._board
        said = [show(board.play), show(board.task), clock(now - board.began)]
        return Rule(Text(" · ".join(part for part in said if part)), align="left", style="dim")

    def _attempt(self, attempt: AttemptBoard, now: float, *, with_bar: bool) -> Iterator[Table | Text]:
        outlook = attempt.outlook
        done = len(attempt.done)
        left = attempt.seconds_left(self._board.in_work, now)
        line = Text(f"{show(outlook.tenant)}  ", "bold")
        line.append(f"{done} of {outlook.hosts} hosts", "not bold")
        line.append(f", about {duration(left)} of work left" if left else "", "not bold")
        if with_bar:
            row = Table.grid(padding=(0, 1))
            row.add_row(ProgressBar(max(1, outlook.hosts), done, width=BAR), line)
            yield row
        else:
            yield line
        yield from self._waves(attempt)
        yield self._counts(attempt)

    def _waves(self, attempt: AttemptBoard) -> Iterator[Table]:
        """The waves that are done, the one in work, and the next ones, as many as there is room for."""
        table = Table.grid(padding=(0, 2))
        waves = list(attempt.waves().items())
        current = next((n for n, (_name, batches) in enumerate(waves) if not all(map(attempt.is_done, batches))), 0)
        first = max(0, min(current - 1, len(waves) - SHOWN_WAVES))
        for name, batches in waves[first : first + SHOWN_WAVES]:
            hosts = sum(len(batch.hosts) for batch in batches)
            state, style = self._wave_state(attempt, batches)
            table.add_row(
                Text(f"  wave {show(name)}"), Text(state, style), Text(f"{attempt.done_of(batches)} of {hosts}")
            )
        if len(waves) > SHOWN_WAVES:
            table.add_row(Text(f"  {len(waves)} waves in all"), Text(""), Text(""))
        if waves:
            yield table

    def _wave_state(self, attempt: AttemptBoard, batches: list[Batch]) -> tuple[str, str]:
        if all(map(attempt.is_done, batches)):
            return "done", "green"
        current = attempt.current
        if current in batches and current is not None:
            return f"batch {current.number} of {current.of}", "bold"
        return "waits", "dim"

    def _counts(self, attempt: AttemptBoard) -> Text:
        counts = attempt.counts()
        line = Text("  ")
        for position, (outcome, number) in enumerate(counts.items()):
            line.append(", " if position else "")
            line.append(counted({outcome: number}), STYLES.get(outcome, ""))
        line.append(f"{'; ' if counts else ''}{budget(attempt)}")
        return line

    def _in_work(self, now: float, room: int) -> Iterator[Table | Text]:
        """The hosts in work, those first that have been at it for the longest, and how many do not fit."""
        hosts = sorted(self._board.in_work.items(), key=lambda item: item[1].begun)
        results = counted(self._board.results)
        if not hosts:
            return
        if room < 2:
            return
        yield Text(f"in work: {len(hosts)}" + (f"; this task: {results}" if self._board.results else ""), "bold")
        fitting = hosts[: room - 1] if len(hosts) < room else hosts[: max(0, room - 2)]
        table = Table.grid(padding=(0, 2))
        for host, work in fitting:
            table.add_row(*self._row(host, work, now))
        if fitting:
            yield table
        if len(fitting) < len(hosts):
            yield Text(f"  and {len(hosts) - len(fitting)} more", "dim")

    def _row(self, host: str, work: InWork, now: float) -> tuple[Text, Text, Text]:
        attempt = self._board.attempt_of(host)
        expected = attempt.expected_seconds(host) if attempt and attempt.current is not None else 0
        of = f" of about {clock(expected)}" if expected else ""
        return Text(f"  {show(host)}"), Text(show(work.what)), Text(f"{clock(now - work.begun)}{of}")
