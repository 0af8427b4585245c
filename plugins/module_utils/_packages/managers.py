# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry of back ends. The imports are literal, because only those travel to a managed host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Optional, Type

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._packages.apt import Apt
from ansible_collections.bankops.fleet.plugins.module_utils._packages.backend import Backend
from ansible_collections.bankops.fleet.plugins.module_utils._packages.dnf import Dnf

_PROGRAMS: Dict[str, str] = {"apt": "apt-get", "dnf": "dnf"}
_BACKENDS: Dict[str, Type[Backend]] = {"apt": Apt, "dnf": Dnf}


def find_backend(commands: Commands, manager: str, root: Path = Path("/")) -> Optional[Backend]:
    """The back end of ``manager``, for ``auto`` the host's own (apt first), or None where the host has neither.

    Raises FleetError of kind ``manager_missing`` when the one asked for is not there, and of kind
    ``manager_unsupported`` for dnf 5.
    """
    present = [name for name, program in _PROGRAMS.items() if commands.which(program)]
    if manager == "auto":
        if not present:
            return None
        manager = present[0]
    if manager not in present:
        raise FleetError(
            f"This host has no {_PROGRAMS[manager]}.",
            kind="manager_missing",
            remedy="Set the package manager to auto.",
        )
    program = commands.which(_PROGRAMS[manager]) or ""
    if os.path.basename(os.path.realpath(program)) == "dnf5":
        raise FleetError(
            "This host's dnf is dnf 5, which is not supported yet.",
            kind="manager_unsupported",
            remedy="Exclude the host from the plan; dnf 4 and apt are supported.",
        )
    return _BACKENDS[manager](commands, root)


def require_backend(commands: Commands, manager: str, root: Path = Path("/")) -> Backend:
    """The back end of ``manager``. Raises FleetError of kind ``manager_missing`` where the host has neither."""
    backend = find_backend(commands, manager, root)
    if backend is None:
        raise FleetError(
            "This host has neither apt nor dnf.", kind="manager_missing", remedy="Exclude it from the plan."
        )
    return backend
