# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hook of the site that refuses, or whose own host is away, keeps every host untouched."""

from __future__ import annotations

import pytest

from ..conftest import RunningLab
from .aftermath import HOOKS, NEITHER, apply, assert_sound, prepare, results

HOSTS = ("lb1", "web1", "web2")


@pytest.mark.parametrize(
    ("cycle", "point", "hook", "reason"),
    [
        ("2026-01", "before_batch", "refusing.yml", "change freeze"),
        ("2026-02", "before_cycle", "delegating_to_nobody.yml", "hook before the cycle"),
    ],
)
def test_a_hook_that_does_not_come_to_a_good_end_keeps_every_host_as_it_is(
    untouched: RunningLab, cycle: str, point: str, hook: str, reason: str
) -> None:
    prepare(untouched, cycle, patch_hooks={point: [str(HOOKS / hook)]})
    applied = apply(untouched, cycle)
    assert applied.returncode != 0
    assert_sound(untouched, cycle, NEITHER)
    assert reason in results(untouched, cycle)["web1"].reason
    assert "apply" not in {entry["phase"] for entry in untouched.ledger("alpha", cycle)}
