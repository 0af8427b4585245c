# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab for each subject, and hosts as new for every fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..conftest import RunningLab
from .aftermath import BOTH, UNTOUCHED, Clock, installed


@pytest.fixture(scope="module")
def fleet(request: pytest.FixtureRequest, start_lab: Callable[..., RunningLab]) -> RunningLab:
    """The lab of the module, with the hosts that it names."""
    subject = request.module.__name__.rpartition("_")[2]
    return start_lab(f"fault{subject}", "--only", ",".join(request.module.HOSTS))


@pytest.fixture
def fresh(fleet: RunningLab) -> Iterator[RunningLab]:
    """The module's lab with its updates pending again, whatever a test has done to its hosts."""
    yield fleet
    # A test that has failed must not stop the next one.
    (fleet.state / "STOP").unlink(missing_ok=True)
    reset = fleet.lab("reset", "--all")
    assert reset.returncode == 0, reset.stderr


@pytest.fixture
def untouched(fleet: RunningLab) -> Iterator[RunningLab]:
    """The same lab for what must change no host, so that none of them needs to be made anew."""
    yield fleet
    assert {host: installed(fleet, host) for host in BOTH} == dict.fromkeys(BOTH, UNTOUCHED)
    assert fleet.servers() == dict.fromkeys(BOTH, "UP")


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock for controllers that can be put forward and back."""
    return Clock(tmp_path)
