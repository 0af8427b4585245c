# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The least that an inventory costs: a library's own calls, whose answers are dropped, and hosts from memory."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path
from typing import Any

from ansible.plugins.inventory import BaseInventoryPlugin

DOCUMENTATION = """
name: bare
short_description: Hosts from memory, beside the calls of a cloud's library
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Calls the function that C(read) names with what else the file says, then adds hosts, groups and variables that were
    written to the file C(memory).
"""


class InventoryModule(BaseInventoryPlugin):
    """Does nothing that could be left out."""

    NAME = "bare"

    def verify_file(self, path: str) -> bool:
        """Only our own kind of file."""
        return path.endswith(".bare.yml")

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Read and drop, then add."""
        super().parse(inventory, loader, path, cache)
        settings = loader.load_from_file(path)
        module, _, function = settings["read"].partition(":")
        getattr(importlib.import_module(module), function)(settings)
        hostvars, of_all, groups = pickle.loads(Path(settings["memory"]).read_bytes())  # noqa: S301 - we have written it
        for host, variables in hostvars.items():
            inventory.add_host(host)
            inventory.hosts[host].vars.update(variables)
        inventory.groups["all"].vars.update(of_all)
        for group, hosts in groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group)
