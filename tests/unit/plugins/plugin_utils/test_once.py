# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work on an object is done once, never taken from another object, and what is kept has a bound."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._once import MOST, Alike, Once


def test_an_object_is_worked_on_once_and_an_equal_one_by_itself() -> None:
    once, made = Once[int](), iter(range(9))
    first, equal = [1], [1]
    assert [once.of(source, lambda: next(made)) for source in (first, first, equal, first)] == [0, 0, 1, 0]


def test_what_else_the_work_depends_on_is_told_apart() -> None:
    once, source = Once[str](), [1]
    assert [once.of(source, lambda also=also: f"made for {also}", also) for also in ("a", "b", "a")] == [  # type: ignore[misc]
        "made for a",
        "made for b",
        "made for a",
    ]


def test_no_object_is_taken_for_one_that_is_gone() -> None:
    """Python gives the identity of an object to a later one, as soon as nobody has the first."""
    once = Once[str]()
    assert all(once.of([number], lambda number=number: str(number)) == str(number) for number in range(3 * MOST))  # type: ignore[misc]


def test_equal_data_becomes_one_object_and_other_data_stays_apart() -> None:
    alike = Alike()
    first = {"after": {"openssl": "2", "nginx": None}}
    assert alike.of({"after": {"openssl": "2", "nginx": None}}) == first
    assert alike.of(first) is alike.of({"after": {"openssl": "2", "nginx": None}})
    others: list[object] = [[1], [True], ["1"], [1.5], {}, []]
    assert all(alike.of(other) is other for other in others)


def test_what_is_kept_of_equal_data_has_a_bound_and_strange_numbers_are_no_trouble() -> None:
    alike = Alike()
    for number in range(3 * MOST):
        assert alike.of([number]) == [number]
    assert len(alike._kept) <= MOST
    assert alike.of([2**70]) == [2**70]
