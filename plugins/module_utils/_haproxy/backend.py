# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What haproxy says of a backend and its servers, in one vocabulary. Pure: text of the socket in, dataclasses out."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import Enum
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import Runtime, parse_servers_state


class Admin(str, Enum):
    """What was decided about a server, by hand, by configuration or by the server it tracks."""

    READY = "ready"
    DRAIN = "drain"
    MAINT = "maint"


class Operation(str, Enum):
    """What haproxy itself found out about a server."""

    UP = "up"
    UNPROVEN = "unproven"  # taken for up, but not all the checks that it takes have passed: just started, or failing
    DOWN = "down"
    STOPPING = "stopping"
    UNCHECKED = "unchecked"  # nobody looks: never a pass unless the caller says so
    UNKNOWN = "unknown"  # in maintenance nobody looks either


# The bits of srv_admin_state, as haproxy's management guide describes them.
FORCED_MAINT, INHERITED_MAINT, CONFIGURED_MAINT, FORCED_DRAIN, INHERITED_DRAIN, RESOLUTION_MAINT = 1, 2, 4, 8, 16, 32
_CHECK_ENABLED = 4  # a bit of srv_check_state


@dataclass(frozen=True)
class Server:
    """One server of a backend, as one haproxy process sees it. ``sessions`` counts current and queued ones."""

    name: str
    admin: Admin
    operation: Operation
    status: str
    sessions: int
    weight: int
    backup: bool
    own_check: bool
    cookie: bool
    bits: int

    @property
    def out_of_service(self) -> bool:
        """Gets no new traffic by decision (not by failure)."""
        return self.admin is not Admin.READY

    def healthy(self, count_unchecked: bool) -> bool:
        """Takes new traffic, and haproxy's checks have proven that it can."""
        proven = self.operation is Operation.UP or (count_unchecked and self.operation is Operation.UNCHECKED)
        return self.admin is Admin.READY and self.weight > 0 and proven

    def as_dict(self) -> Dict[str, Any]:
        """``{"admin_state", "operational_state", "status", "sessions"}``."""
        return {
            "admin_state": self.admin.value,
            "operational_state": self.operation.value,
            "status": self.status,
            "sessions": self.sessions,
        }


@dataclass(frozen=True)
class Backend:
    """A backend and its servers, in the order of the configuration."""

    name: str
    socket: str
    servers: Tuple[Server, ...]

    def server(self, name: str) -> Server:
        """The server called ``name``; raises FleetError ``unknown_server`` that lists those there are."""
        for server in self.servers:
            if server.name == name:
                return server
        known = [server.name for server in self.servers]
        raise FleetError(
            f"The backend {self.name} of haproxy at {self.socket} has no server {name}{did_you_mean(name, known)}.",
            kind="unknown_server",
            remedy=f"It has: {', '.join(known)}.",
            data={"socket": self.socket, "backend": self.name, "known": known},
        )

    def healthy(self, count_unchecked: bool, count_backup: bool) -> List[str]:
        """The names of the servers that carry the service; a backup, often a mere sorry page, only on demand."""
        return [s.name for s in self.servers if s.healthy(count_unchecked) and (count_backup or not s.backup)]

    def out_of_service(self) -> List[str]:
        """The names of the servers in drain or maintenance."""
        return [server.name for server in self.servers if server.out_of_service]


def read_backend(runtime: Runtime, backend: str) -> Backend:
    """The backend as it is now; raises FleetError ``unknown_backend``, which lists the known ones, or Runtime's."""
    rows = runtime.statistics(backend)
    if not rows:
        known = runtime.backends()
        raise FleetError(
            f"haproxy at {runtime.address} has no backend {backend} with servers{did_you_mean(backend, known)}.",
            kind="unknown_backend",
            remedy=f"It has: {', '.join(known) or 'none'}.",
            data={"socket": runtime.address, "known": known},
        )
    states = {row["srv_name"]: row for row in parse_servers_state(runtime.servers_state(backend), runtime.address)}
    lost = [row["svname"] for row in rows if row["svname"] not in states]
    if lost:  # a server added or removed between the two questions
        raise FleetError(
            f"haproxy at {runtime.address} says nothing of the state of {', '.join(lost)}.",
            kind="unexpected_answer",
            remedy="Was the configuration changed at this moment? Try again.",
        )
    servers = tuple(parse_server(row, states[row["svname"]]) for row in rows)
    return Backend(name=backend, socket=runtime.address, servers=servers)


def parse_server(row: Dict[str, str], state: Dict[str, str]) -> Server:
    """A server from its rows of ``show stat`` and ``show servers state``; raises FleetError ``unexpected_answer``."""
    try:
        bits = int(state["srv_admin_state"])
        own_check = bool(int(state["srv_check_state"]) & _CHECK_ENABLED)
        return Server(
            name=row["svname"],
            admin=admin_state(bits),
            operation=operation(row["status"], own_check or bool(row["tracked"])),
            status=row["status"],
            sessions=int(row["scur"]) + int(row["qcur"] or 0),
            weight=int(row["weight"]),
            backup=row["bck"] == "1",
            own_check=own_check,
            cookie=bool(row["cookie"]),
            bits=bits,
        )
    except ValueError as error:
        raise FleetError(
            f"haproxy says of the server {row['svname']} what is no number: {error}.", kind="unexpected_answer"
        ) from error


def admin_state(bits: int) -> Admin:
    """The decision behind srv_admin_state. CONFIGURED_MAINT alone only remembers what the configuration once said."""
    if bits & (FORCED_MAINT | INHERITED_MAINT | RESOLUTION_MAINT):
        return Admin.MAINT
    if bits & (FORCED_DRAIN | INHERITED_DRAIN):
        return Admin.DRAIN
    return Admin.READY


def operation(status: str, checked: bool) -> Operation:
    """What the status of ``show stat`` tells of a server: ``UP``, ``UP 1/2``, ``DRAIN``, ``no check`` and so on."""
    word = status.partition(" ")[0]
    if word == "DOWN":
        return Operation.DOWN
    if word == "NOLB":
        return Operation.STOPPING
    if status == "no check" or (word in ("UP", "DRAIN") and not checked):
        return Operation.UNCHECKED
    if status in ("UP", "DRAIN"):
        return Operation.UP
    if word in ("UP", "DRAIN"):
        return Operation.UNPROVEN
    return Operation.UNKNOWN


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """The closest known name as the end of a sentence, or nothing."""
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
