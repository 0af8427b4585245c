# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sensor is on which machine, and which may be."""

from __future__ import annotations

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._coverage.sensors import Sensors, identity_of, is_whole
from ansible_collections.bankops.fleet.tests.fakes.sensors import ACCOUNT, instance, sensor

GOOGLE = ("gcp", "prod-web", "5278723726495898635")
BY_NUMBER = ("gcp", "578609343865", "5278723726495898635")


def ids(found: object) -> list[str]:
    return [each.aid for each in found]  # type: ignore[attr-defined]


def test_sensors_are_found_by_identity_the_latest_first() -> None:
    sensors = Sensors([sensor("old", instance(1), days=9), sensor("new", instance(1)), sensor("other", instance(2))])
    assert ids(sensors.match(instance(1)).found) == ["new", "old"]
    assert ids(sensors.match(instance(3)).found) == []


def test_one_that_was_never_seen_comes_last() -> None:
    sensors = Sensors([sensor("never", instance(1), days=None), sensor("seen", instance(1), days=90)])
    assert ids(sensors.match(instance(1)).found) == ["seen", "never"]


def test_a_sensor_that_two_cids_name_is_one() -> None:
    assert ids(Sensors([sensor("a1", instance(1)), sensor("a1", instance(1))]).all) == ["a1"]


@pytest.mark.parametrize(
    "identity",
    [
        ("aws", "unknown", instance(1)[2]),
        ("aws", ACCOUNT, "unknown"),
        ("unknown", "unknown", "unknown"),
        ("aws", "", instance(1)[2]),
    ],
)
def test_what_is_not_whole_is_nobodys_identity(identity: tuple[str, str, str]) -> None:
    sensors = Sensors([sensor("a1", instance(1)), sensor("a2", identity)])
    assert not is_whole(identity)
    assert ids(sensors.match(identity).found) == []


def test_the_same_instance_in_another_account_is_another_machine() -> None:
    sensors = Sensors([sensor("a1", ("aws", "999999999999", instance(1)[2]))])
    assert ids(sensors.match(instance(1)).found) == ids(sensors.perhaps_of(instance(1))) == []


def test_a_google_project_that_is_known_by_its_number_is_perhaps_the_one() -> None:
    sensors = Sensors([sensor("a1", BY_NUMBER, account_is_known=False)])
    assert ids(sensors.match(GOOGLE).found) == ids(sensors.match(BY_NUMBER).found) == []
    assert ids(sensors.perhaps_of(GOOGLE)) == ["a1"]
    assert ids(sensors.perhaps_of(("gcp", "prod-web", "1"))) == []


def test_a_host_without_an_account_has_perhaps_any_sensor_with_its_instance_id() -> None:
    sensors = Sensors([sensor("a1", instance(1))])
    assert ids(sensors.perhaps_of(("aws", "unknown", instance(1)[2]))) == ["a1"]


def test_two_that_know_nothing_are_not_perhaps_the_same() -> None:
    nothing = ("unknown", "unknown", "unknown")
    assert ids(Sensors([sensor("a1", nothing)]).perhaps_of(nothing)) == []


def test_a_sensor_that_somebody_names_is_the_one() -> None:
    sensors = Sensors([sensor("a1", ("unknown", "unknown", "unknown")), sensor("a2", instance(1))])
    assert ids(sensors.match(("onprem", "dc1", "core1"), "a1").found) == ["a1"]
    assert ids(sensors.match(instance(1), "a2").found) == ["a2"]
    assert ids(sensors.match(instance(3), "a3").found) == []


def test_the_id_of_a_sensor_is_the_same_with_dashes_and_capitals() -> None:
    sensors = Sensors([sensor("AB12", ("unknown", "unknown", "unknown")), sensor("ab12", instance(9))])
    assert ids(sensors.match(("onprem", "dc1", "core1"), "aB-12").found) == ["AB12"]
    assert ids(sensors.all) == ["AB12"]


@pytest.mark.parametrize(
    ("sensor_id", "doubt"),
    [
        ("a2", "and that sensor says that it is elsewhere"),
        ("gcp", "and that sensor says that it is elsewhere"),
        ("a9", ""),
    ],
)
def test_nobody_s_word_is_taken_where_the_sensor_says_otherwise(sensor_id: str, doubt: str) -> None:
    sensors = Sensors([sensor("a2", instance(2)), sensor("gcp", BY_NUMBER, account_is_known=False)])
    match = sensors.match(instance(1), sensor_id)
    assert ids(match.found) == []
    assert match.doubt.endswith(doubt)
    assert bool(match.doubt) == bool(doubt)


@pytest.mark.parametrize("sensor_id", ["a2", "a3", "gone"])
def test_the_identity_has_one_sensor_and_the_owner_names_another(sensor_id: str) -> None:
    sensors = Sensors([sensor("a1", instance(1)), sensor("a2", instance(2)), sensor("a3", ("unknown",) * 3)])
    match = sensors.match(instance(1), sensor_id)
    assert (ids(match.found), ids(match.doubtful)) == ([], ["a1"])
    assert match.doubt == f"its fleet_sensor_id is {sensor_id}, and another sensor has its identity"


def test_what_stands_on_premises_has_no_identity_whatever_its_account_is() -> None:
    assert not is_whole(("onprem", "dc1", "core1"))


def test_identities_are_written_alike() -> None:
    assert identity_of("azure", "ABC", "4220508A-D2A1") == ("azure", "abc", "4220508a-d2a1")
