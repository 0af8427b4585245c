# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls are made side by side, each is answered for, and one that hangs keeps no process from ending."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.parallel import AT_ONCE, side_by_side
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError

HANGS = """
import threading, time
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.parallel import side_by_side
outcomes = side_by_side(lambda seconds: time.sleep(seconds), [0, 3600])
print(next(outcomes))
"""


def test_everything_is_answered_for_also_what_failed() -> None:
    def halve(number: int) -> int:
        if number % 2:
            raise SourceError(Scope("clouds"), "halve", str(number), kind="api_error", remedy="")
        return number // 2

    outcomes = list(side_by_side(halve, range(50)))
    assert sorted(each for each in outcomes if isinstance(each, int)) == list(range(25))
    assert sum(isinstance(each, SourceError) for each in outcomes) == 25
    assert list(side_by_side(halve, [])) == []


def test_what_nobody_expected_is_raised() -> None:
    def fail(number: int) -> int:
        raise ValueError(number)

    with pytest.raises(ValueError, match="7"):
        list(side_by_side(fail, [7]))


def test_no_more_are_at_work_than_may_be() -> None:
    together = threading.Barrier(AT_ONCE, timeout=10)
    at_work = []

    def meet(_number: int) -> int:
        at_work.append(1)
        count = len(at_work)
        together.wait()
        at_work.pop()
        return count

    outcomes = list(side_by_side(meet, range(2 * AT_ONCE)))
    assert max(each for each in outcomes if isinstance(each, int)) == AT_ONCE


def test_who_hangs_keeps_no_process_from_ending() -> None:
    environment = {
        "PYTHONPATH": str(next(p for p in map(Path, sys.path) if (p / "ansible_collections/bankops").is_dir()))
    }
    ran = subprocess.run(
        [sys.executable, "-c", HANGS], env=environment, timeout=20, check=True, capture_output=True, text=True
    )
    assert ran.stdout == "None\n"
