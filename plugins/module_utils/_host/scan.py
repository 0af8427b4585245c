# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything a plan and a preflight need to know of a host, in one go: state, packages, health."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Mapping, Optional

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands
from ansible_collections.bankops.fleet.plugins.module_utils._health.checks import run_checks
from ansible_collections.bankops.fleet.plugins.module_utils._host.state import read_state
from ansible_collections.bankops.fleet.plugins.module_utils._packages.scan import read_packages

NOT_REFRESHED = "Check mode does not refresh the package manager's lists; what is reported is as old as they are."


def scan_host(
    commands: Commands,
    *,
    manager: str,
    refresh: bool,
    look_only: bool,
    selection: Mapping[str, Any],
    checks: List[Dict[str, Any]],
    planned: Optional[List[Dict[str, Any]]] = None,
    lock_timeout: float = 0,
) -> Dict[str, Any]:
    """``{"state", "packages", "checks"}`` (docs/contracts.md). ``look_only`` leaves out a refresh, and says so.

    Raises FleetError of kind ``bad_check`` or what ``read_packages`` raises.
    """
    # The package manager computes while the state is read: the two hardly share a resource.
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = run_checks(checks, commands)
        state = pool.submit(read_state, commands)
        packages = read_packages(
            commands,
            manager=manager,
            refresh=refresh and not look_only,
            selection=selection,
            planned=planned,
            lock_timeout=lock_timeout,
        )
        if refresh and look_only:
            packages = {**packages, "refresh_error": NOT_REFRESHED}
        return {"state": state.result(), "packages": packages, "checks": results}
