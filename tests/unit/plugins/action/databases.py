# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controllers and fleets of other tests, with their state in a database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_the_way_of_a_plan import Controller
from ansible_collections.bankops.fleet.tests.unit.plugins.action.test_two_attempts_at_once import Fleet
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._state.databases import without_keeper


class ControllerOnDatabase(Controller):
    """``state`` stands for other machines: its own leases are kept by nobody."""

    def __init__(self, folder: Path, url: str, **variables: Any) -> None:
        super().__init__(folder, fleet_store_url=url, **variables)
        self.state = without_keeper(url, folder / "elsewhere")


class FleetOnDatabase(Fleet):
    """The same for a plan that changes two hosts."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.state = without_keeper(url, folder / "elsewhere")
        self.plan = self._freeze()
        inventory = json.loads((folder / "inventory.json").read_text())
        inventory["all"]["children"]["fleet"]["vars"]["fleet_store_url"] = url
        (folder / "inventory.json").write_text(json.dumps(inventory))
