# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Estimates: they follow what was measured, and never fall so far that the next host surprises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.estimate import (
    expected_batch_seconds,
    measured_factor,
)


@pytest.mark.parametrize(
    ("pairs", "factor"),
    [
        ([], 1.0),
        ([(50.0, 0)], 1.0),
        ([(60.0, 60), (90.0, 60), (30.0, 60)], 1.5),
        ([(6.0, 60)], 0.5),
    ],
)
def test_the_slowest_host_so_far_is_the_measure(pairs: list[tuple[float, int]], factor: float) -> None:
    assert measured_factor(iter(pairs)) == factor


def test_a_batch_takes_as_long_as_its_slowest_host_by_that_measure() -> None:
    estimates = {"web1": 60, "web2": 91, "web3": 600}
    assert expected_batch_seconds(["web1", "web2"], estimates, 1.5) == 137
    assert expected_batch_seconds([], estimates, 1.5) == 0


@given(st.lists(st.tuples(st.floats(0, 10_000), st.integers(1, 10_000)), min_size=1))
def test_every_measured_host_would_have_been_given_its_time(pairs: list[tuple[float, int]]) -> None:
    factor = measured_factor(pairs)
    assert all(
        expected_batch_seconds(["host"], {"host": estimated}, factor) >= measured - 1e-6
        for measured, estimated in pairs
    )
