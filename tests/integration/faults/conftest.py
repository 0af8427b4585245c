# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts as new for every fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import RunningLab
from .aftermath import Clock


@pytest.fixture
def fresh(fleet: RunningLab) -> Iterator[RunningLab]:
    """The module's lab with its updates pending again, whatever a test has done to its hosts."""
    yield fleet
    reset = fleet.lab("reset", "--all")
    assert reset.returncode == 0, reset.stderr


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock for controllers that can be put forward and back."""
    return Clock(tmp_path)
