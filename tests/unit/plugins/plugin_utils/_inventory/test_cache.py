# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept between two runs comes out as it went in, and nobody else reads or writes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Machine, Power, Scope, Transport
from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import WHO_ASKS, MachineCache, pack, unpack
from ansible_collections.bankops.fleet.tests.fakes.machines import machine

from .strategies import readings

EAST = Scope("cloud", "1", "east")


@settings(max_examples=30)
@given(readings)
def test_machines_come_out_of_the_cache_as_they_went_in(reading: dict[Scope, list[Machine]]) -> None:
    assert unpack(pack("2026-11-21T04:00:00Z", reading)) == ("2026-11-21T04:00:00Z", reading)


def test_everything_that_a_machine_has_is_kept() -> None:
    one = machine(
        power=Power.STOPPED,
        managed_by=(Transport.SSM,),
        not_managed_by=(Transport.AZURE,),
        is_listed=False,
        sensor_id="a1",
        raw={"launched": "2026-11-21", "count": 1, "deep": [{"a": None}]},
        placement={"tenant": "alpha"},
    )
    assert unpack(pack("now", {EAST: [one]}))[1] == {EAST: [one]}


class Adjudicator(dict[str, Any]):
    """Ansible's cache, which leaves files that the group can read."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.modes: list[int] = []

    def set_cache(self) -> None:
        for key in self:
            (self.folder / f"prefix_{key}").write_text(str(self[key]))
            self.modes.append((self.folder / f"prefix_{key}").stat().st_mode & 0o777)
            (self.folder / f"prefix_{key}").chmod(0o640)


def test_nobody_else_can_read_what_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "x.multicloud.yml"
    file.write_text("one")
    adjudicator = Adjudicator(tmp_path)
    cache = MachineCache(adjudicator, str(file), str(tmp_path))
    cache.put("text")
    assert cache.get() == "text"
    assert adjudicator.modes == [0o600]
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("prefix_*")] == [0o600]


def test_what_others_can_have_put_there_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "x.multicloud.yml"
    file.write_text("one")
    cache = MachineCache(Adjudicator(tmp_path), str(file), str(tmp_path))
    cache.put("text")
    (kept,) = tmp_path.glob("prefix_*")
    for mode, found in ((0o660, None), (0o602, None), (0o600, "text")):
        kept.chmod(mode)
        assert cache.get() == found


def test_a_cache_that_cannot_be_made_private_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    file = tmp_path / "x.multicloud.yml"
    file.write_text("one")
    cache = MachineCache(Adjudicator(tmp_path), str(file), str(tmp_path))
    cache.put("text")
    monkeypatch.setattr(Adjudicator, "set_cache", lambda _cache: None)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(FleetError, match="cannot be made private: Operation not permitted"):
        cache.put("text")


def test_another_content_and_another_identity_are_another_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, adjudicator = tmp_path / "x.multicloud.yml", Adjudicator(tmp_path)
    file.write_text("one")
    MachineCache(adjudicator, str(file), None).put("text")
    for name in (*WHO_ASKS, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        with monkeypatch.context() as changed:
            changed.setenv(name, "another")
            assert MachineCache(adjudicator, str(file), None).get() is None, name
    assert MachineCache(adjudicator, str(file), None).get() == "text"
    file.write_text("two")
    assert MachineCache(adjudicator, str(file), None).get() is None


def test_no_secret_of_the_environment_makes_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, adjudicator = tmp_path / "x.multicloud.yml", Adjudicator(tmp_path)
    file.write_text("one")
    for name in list(os.environ):
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_")):
            monkeypatch.delenv(name)
    MachineCache(adjudicator, str(file), None).put("text")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_PASSWORD"):
        monkeypatch.setenv(name, "secret")
    assert MachineCache(adjudicator, str(file), None).get() == "text"
