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
    assert ids(sensors.of(instance(1))) == ["new", "old"]
    assert ids(sensors.of(instance(3))) == []


def test_one_that_was_never_seen_comes_last() -> None:
    sensors = Sensors([sensor("never", instance(1), days=None), sensor("seen", instance(1), days=90)])
    assert ids(sensors.of(instance(1))) == ["seen", "never"]


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
    assert ids(sensors.of(identity)) == []


def test_the_same_instance_in_another_account_is_another_machine() -> None:
    sensors = Sensors([sensor("a1", ("aws", "999999999999", instance(1)[2]))])
    assert ids(sensors.of(instance(1))) == ids(sensors.perhaps_of(instance(1))) == []


def test_a_google_project_that_is_known_by_its_number_is_perhaps_the_one() -> None:
    sensors = Sensors([sensor("a1", BY_NUMBER, account_is_known=False)])
    assert ids(sensors.of(GOOGLE)) == ids(sensors.of(BY_NUMBER)) == []
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
    assert ids(sensors.of(instance(1), "a1")) == ["a1"]
    assert ids(sensors.of(instance(1), "a3")) == []


def test_identities_are_written_alike() -> None:
    assert identity_of("azure", "ABC", "4220508A-D2A1") == ("azure", "abc", "4220508a-d2a1")
