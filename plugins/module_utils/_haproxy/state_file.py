# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that haproxy's ``server-state-file`` names: what keeps a server drained over a reload."""

from __future__ import annotations

import os
import tempfile
from typing import Set, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.backend import (
    CONFIGURED_MAINT,
    FORCED_DRAIN,
    FORCED_MAINT,
    Admin,
    admin_state,
)
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import Runtime, parse_servers_state


def decided_by_hand(servers_state: str) -> str:
    """The lines of ``show servers state`` (with its head) of servers that somebody forced into drain or maintenance.

    The other servers are left out on purpose: the file may be read weeks later, and an old opinion about their
    health would be worse than haproxy's own first check.
    """
    parse_servers_state(servers_state)
    lines = [line for line in servers_state.splitlines() if line.strip()]
    column = lines[1][2:].split().index("srv_admin_state")
    kept = [line for line in lines[2:] if _forced(int(line.split()[column]))]
    return "\n".join(lines[:2] + kept) + "\n"


def _forced(bits: int) -> bool:
    return bool(bits & FORCED_DRAIN) or (bool(bits & FORCED_MAINT) and not bits & CONFIGURED_MAINT)


def outdated(runtime: Runtime, path: str) -> bool:
    """Whether a reload that reads ``path`` would decide otherwise than was decided by hand until now."""
    try:
        with open(path, encoding="utf-8") as file:
            written = file.read()
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return _decisions(written) != _decisions(runtime.servers_state())
    except FleetError:  # empty, or cut short by whoever wrote it: it decides nothing
        return True


def save(runtime: Runtime, path: str) -> None:
    """Write the state that a reload must keep to ``path``, atomically, readable to all.

    Raises FleetError ``state_file`` when the file cannot be written.
    """
    content = decided_by_hand(runtime.servers_state())
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".server-state-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # haproxy may start as another user
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise _unusable(path, error) from error


def _decisions(servers_state: str) -> Set[Tuple[str, str, Admin]]:
    rows = parse_servers_state(decided_by_hand(servers_state))
    return {(row["be_name"], row["srv_name"], admin_state(int(row["srv_admin_state"]))) for row in rows}


def _unusable(path: str, error: OSError) -> FleetError:
    return FleetError(
        f"The state file {path} cannot be used: {error}.",
        kind="state_file",
        remedy="It is the file that server-state-file names in haproxy's configuration; its folder must exist.",
        data={"path": path},
    )
