# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live view on terminals of every size."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.live import LiveView, Size, clock
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.outcomes import HOST
from ansible_collections.bankops.fleet.tests.fakes.patched_fleet import failed, verified
from ansible_collections.bankops.fleet.tests.fakes.told_run import ToldRun

HOSTILE = ["\x1b[2J", "\r", "\n", "\u202e", "\udcff", "[bold red]", "数" * 200, "x" * 1_000_000]


def a_run() -> ToldRun:
    """A wave is done, of the next one a batch is in work, and of that a host has failed."""
    run = ToldRun()
    run.open({"canary": [["web1"]], "early": [["web2", "web3", "web4"], ["db1"]], "broad": [["app1", "app2"]]})
    run.narrator.board.play = "Patch the fleet"
    run.narrator.board.starts_task("Take the host through its change")
    run.batch(["web1"])
    run.change("web1", 30, verified())
    run.batch(["web2", "web3", "web4"])
    run.change("web4", 10, failed("apply: it failed"))
    run.start("web2", HOST)
    run.now += 5
    run.start("web3", HOST)
    run.narrator.board.goes_on("web2", "drain", run.now)
    run.now += 20
    return run


def draw(run: ToldRun, columns: int = 80, lines: int = 40, *, coloured: bool = False) -> list[str]:
    return LiveView(run.narrator.board, coloured=coloured).draw(Size(columns, lines), run.now)


def test_it_shows_waves_batches_hosts_with_their_phases_and_times_outcomes_and_the_budget() -> None:
    title, bar, *rest = draw(a_run(), 90)
    assert title.startswith("Patch the fleet · Take the host through its change · 1:05 ──")
    assert bar.rstrip().endswith("north  2 of 7 hosts, about 2 min of work left")
    assert [line.rstrip() for line in rest] == [
        "  wave canary  done          1 of 1",
        "  wave early   batch 1 of 2  1 of 4",
        "  wave broad   waits         0 of 2",
        "  1 verified, 1 failed; failure budget 1 of 2 spent",
        "in work: 2; this task: 4 ok",
        "  web2  drain                             0:25 of about 0:30",
        "  web3  Take the host through its change  0:20 of about 0:30",
    ]


@pytest.mark.parametrize("columns", [1, 10, 20, 35, 59, 60, 80, 132, 300])
@pytest.mark.parametrize("lines", [1, 3, 6, 10, 24, 100])
def test_it_fits_into_any_terminal(columns: int, lines: int) -> None:
    view = draw(a_run(), columns, lines)
    assert 1 <= len(view) <= max(1, lines * 0.6)
    # A line as wide as the terminal would wrap on some.
    assert all(cell_len(line) < max(20, columns) for line in view)


def test_of_ten_thousand_hosts_those_in_work_are_shown_and_the_rest_counted() -> None:
    hosts = [f"host{number:05}" for number in range(10_000)]
    batches = [hosts[start : start + 200] for start in range(0, 10_000, 200)]
    run = ToldRun()
    run.open({"broad": batches})
    for batch in batches[:25]:
        run.batch(batch)
        for host in batch:
            run.change(host, 1, verified())
    run.batch(batches[25])
    for host in batches[25]:
        run.start(host, HOST)
    began = time.process_time()
    view = [line.rstrip() for line in draw(run, 100, 30)]
    # The view is drawn twice a second, while the process has better things to do.
    assert time.process_time() - began < 0.2
    assert "north  5000 of 10000 hosts, about 13 min of work left" in view[1]
    assert "  wave broad  batch 26 of 50  5000 of 10000" in view
    assert "  5000 verified; failure budget 0 of 2 spent" in view
    assert any(line.startswith("in work: 200") for line in view)
    assert sum("host0" in line for line in view) == 12
    assert view[-1] == "  and 188 more"
    assert len(view) == 18


def test_those_that_have_been_at_it_for_the_longest_are_shown_first() -> None:
    run = ToldRun()
    run.open({"broad": [[f"web{number}" for number in range(30)]]})
    for number in reversed(range(30)):
        run.start(f"web{number}", HOST)
        run.now += 1
    shown = [line.split()[0] for line in draw(run, 80, 20) if line.startswith("  web")]
    assert shown == ["web29", "web28", "web27", "web26", "web25", "web24"]


def test_a_play_that_patches_nothing_has_its_view_too() -> None:
    run = ToldRun()
    run.narrator.board.play = "Harden"
    run.start("web1", "ansible.builtin.command")
    run.now += 3
    assert [line.rstrip() for line in draw(run)][1:] == [
        "in work: 1",
        "  web1  Take the host through its change  0:03",
    ]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_hostile_text_breaks_the_view(hostile: str) -> None:
    host = f"web{hostile}"
    run = ToldRun()
    run.open({f"wave{hostile}": [[host]]}, tenant=hostile)
    run.narrator.board.play = hostile
    run.narrator.board.starts_task(hostile)
    run.batch([host])
    run.start(host, HOST, hostile)
    for line in draw(run):
        assert line.isprintable()
        assert cell_len(line) < 80


@settings(max_examples=30)
@given(st.text(st.characters(), max_size=60), st.integers(10, 120), st.integers(1, 40))
def test_whatever_a_host_is_called_the_view_fits(name: str, columns: int, lines: int) -> None:
    run = ToldRun()
    run.open({name: [[name]]}, tenant=name)
    run.batch([name])
    run.start(name, HOST, name)
    view = draw(run, columns, lines)
    assert all(line.isprintable() and cell_len(line) < max(20, columns) for line in view)


def test_colours_are_left_out_where_nobody_wants_them_and_say_nothing_more() -> None:
    # Narrow enough to have no bar, whose empty part is seen by its colour.
    coloured, plain = draw(a_run(), 50, coloured=True), draw(a_run(), 50)
    assert any("\x1b[" in line for line in coloured)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == plain


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00"),
        (5.9, "0:05"),
        (65, "1:05"),
        (3599, "59:59"),
        (3723, "1:02:03"),
        (360_000, "100:00:00"),
        (-3, "0:00"),
    ],
)
def test_a_clock_shows_the_time_that_goes_by(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
