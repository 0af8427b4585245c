# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's own programs with clouds that are in a file: every source but those of files has the machines in it.

``multicloud_run.py <machines> ansible-inventory -i … --list``: ``<machines>`` is what the inventory's cache keeps, with
scopes of any source. A scope of the account ``broken`` cannot be read. Reading adds a line to ``<machines>.asked``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"ansible-inventory": "inventory", "ansible-playbook": "playbook"}


def main() -> None:
    """Put the fake in the place of the clouds, then run the program."""
    machines, command = Path(sys.argv[1]), sys.argv[2]
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(ROOT / ".collections")])
    from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory import configuration
    from ansible_collections.bankops.fleet.plugins.plugin_utils._inventory.cache import unpack
    from ansible_collections.bankops.fleet.tests.fakes.machines import FakeSource, failure

    of_types = configuration._read_source

    class Told(FakeSource):
        def scopes(self, deadline: Any) -> Any:
            with Path(f"{machines}.asked").open("a", encoding="utf-8") as asked:
                asked.write(f"{self.name}\n")
            return super().scopes(deadline)

    def read_source(kind: str, entry: Any, name: str, file: str, loader: Any, *, raw: bool) -> Any:
        if kind not in configuration.CLOUDS:
            return of_types(kind, entry, name, file, loader, raw=raw)
        scopes = {scope: found for scope, found in unpack(machines.read_text())[1].items() if scope.source == name}
        return Told(
            name, {scope: [failure(scope)] if scope.account == "broken" else found for scope, found in scopes.items()}
        )

    configuration._read_source = read_source
    sys.argv = sys.argv[2:]
    import_module(f"ansible.cli.{COMMANDS[command]}").main()


if __name__ == "__main__":
    main()
