# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers tell reaches the callback, and never holds a worker up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.announcements import Announcements


@pytest.fixture
def announcements() -> Iterator[Announcements]:
    made = Announcements()
    yield made
    made.close()


def test_a_worker_is_heard_by_the_process_it_was_forked_from(announcements: Announcements) -> None:
    worker = os.fork()
    if worker == 0:
        announcements.tell("web1", "drain")
        announcements.tell('we"b\n2', "apply")
        os._exit(0)
    os.waitpid(worker, 0)
    assert announcements.read() == [("web1", "drain"), ('we"b\n2', "apply")]
    assert announcements.read() == []


def test_nobody_waits_when_nobody_reads(announcements: Announcements) -> None:
    for number in range(10_000):
        announcements.tell(f"host{number}", "apply")
    heard = announcements.read()
    assert heard == [(f"host{number}", "apply") for number in range(len(heard))]
    assert 0 < len(heard) < 10_000
    announcements.tell("web1", "verify")
    assert announcements.read() == [("web1", "verify")]


def test_what_could_mix_with_what_others_write_is_not_told(announcements: Announcements) -> None:
    announcements.tell("x" * 1_000_000, "apply")
    assert announcements.read() == []
