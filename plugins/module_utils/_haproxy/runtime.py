# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of haproxy's runtime API (the stats socket): asks, and parses strictly what comes back."""

from __future__ import annotations

import csv
import re
import socket
from typing import Dict, List, Optional, Tuple

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

# The characters haproxy itself allows in the names of proxies and servers. Everything that separates
# commands or words on the socket (line feed, semicolon, space, slash, backslash) is outside.
_NAME = re.compile(r"[A-Za-z0-9_.:-]+\Z")
_TCP = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})\Z")

# A reload of haproxy replaces the listening socket; a question that falls into that moment may be asked again.
TRANSIENT = frozenset({"socket_missing", "socket_refused", "socket_closed", "socket_timeout"})

_BUSY = "Is haproxy overloaded, or reloading? Run patch_apply.yml again."

_STAT_COLUMNS = ("pxname", "svname", "status", "scur", "qcur", "weight", "bck", "check_status", "tracked", "cookie")
_STATE_COLUMNS = ("be_name", "srv_name", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_check_state")


def checked_name(name: str, what: str) -> str:
    """``name`` if it can be put into a command; raises FleetError ``bad_name`` otherwise."""
    if not _NAME.match(name):
        raise FleetError(
            f"{name!r} cannot be the name of a {what}.",
            kind="bad_name",
            remedy="haproxy allows letters, digits and the characters . _ : - in names.",
            data={what: name},
        )
    return name


class Runtime:
    """One haproxy process behind a unix socket's path or a ``host:port``; one connection for each command."""

    def __init__(self, address: str, timeout: float = 5.0) -> None:
        """``timeout`` is in seconds, for each connection; raises FleetError ``bad_address``."""
        self.address = address
        self._timeout = timeout
        self._tcp = _tcp_address(address)

    def ask(self, command: str) -> str:
        """The answer to one command, without the blank line that ends it.

        Raises FleetError ``socket_missing``, ``socket_denied``, ``socket_refused``, ``socket_timeout``,
        ``socket_closed`` or, when haproxy says so, ``permission_denied``.
        """
        answer = self._exchange(command)
        if "Permission denied" in answer.splitlines():
            raise FleetError(
                f"haproxy at {self.address} refused {command!r}: permission denied.",
                kind="permission_denied",
                remedy="Give the stats socket 'level admin', or use the one that has it.",
                data={"socket": self.address},
            )
        return answer.rstrip("\n")

    def order(self, *commands: str) -> None:
        """Commands that say nothing when they are obeyed, sent in one line so that nothing comes between them.

        Raises FleetError ``refused`` with what haproxy says.
        """
        said = self.ask("; ".join(commands)).strip()
        if said:
            raise FleetError(
                f"haproxy at {self.address} did not obey {'; '.join(commands)!r}: {said}",
                kind="refused",
                data={"socket": self.address, "commands": list(commands), "answer": said},
            )

    def information(self) -> Dict[str, str]:
        """``show info`` as a dictionary; always has ``Name``, ``Version`` and ``Pid``."""
        return parse_information(self.ask("show info"), self.address)

    def require_admin(self) -> None:
        """Raises FleetError ``permission_denied`` unless this socket may change servers: so check mode knows it too."""
        level = self.ask("show cli level").strip()
        if level != "admin":
            raise FleetError(
                f"haproxy's socket {self.address} has the level {level}, which may not change a server.",
                kind="permission_denied",
                remedy="Give the stats socket 'level admin', or use the one that has it.",
                data={"socket": self.address, "level": level},
            )

    def statistics(self, backend: str) -> List[Dict[str, str]]:
        """``show stat`` of the servers of ``backend``, a dictionary for each; empty when there is no such backend."""
        checked_name(backend, "backend")
        # Not by name: when a frontend has the same name as the backend, haproxy means the frontend.
        rows = parse_statistics(self.ask("show stat -1 4 -1"), self.address)
        return [row for row in rows if row["pxname"] == backend]

    def servers_state(self, backend: str = "") -> str:
        """``show servers state`` as haproxy prints it (of all backends without one): the content of a state file."""
        suffix = f" {checked_name(backend, 'backend')}" if backend else ""
        return self.ask(f"show servers state{suffix}")

    def backends(self) -> List[str]:
        """The names of all backends that have servers."""
        rows = parse_servers_state(self.servers_state(), self.address)
        return sorted({row["be_name"] for row in rows})

    def _exchange(self, command: str) -> str:
        try:
            with self._connect() as connection:
                connection.sendall(command.encode("ascii") + b"\n")
                received = b"".join(iter(lambda: connection.recv(65536), b""))
        except FileNotFoundError as error:
            raise self._problem(
                "is not there", "socket_missing", "Is haproxy running, and is this its socket?"
            ) from error
        except PermissionError as error:
            raise self._problem(
                "may not be opened by this user", "socket_denied", "Join the socket's group, or become root."
            ) from error
        except socket.timeout as error:
            raise self._problem(f"did not answer within {self._timeout:g} s", "socket_timeout", _BUSY) from error
        except (ConnectionResetError, BrokenPipeError) as error:
            raise self._problem("closed the connection", "socket_closed", _BUSY) from error
        except OSError as error:
            raise self._problem(f"cannot be reached ({error})", "socket_refused", "Is haproxy running?") from error
        if not received:
            raise self._problem("closed the connection without an answer", "socket_closed", _BUSY)
        return received.decode("utf-8", "replace")

    def _connect(self) -> socket.socket:
        if self._tcp is not None:
            return socket.create_connection(self._tcp, timeout=self._timeout)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._timeout)
            connection.connect(self.address)
        except OSError:
            connection.close()
            raise
        return connection

    def _problem(self, what: str, kind: str, remedy: str) -> FleetError:
        return FleetError(
            f"haproxy's socket {self.address} {what}.", kind=kind, remedy=remedy, data={"socket": self.address}
        )


def _tcp_address(address: str) -> Optional[Tuple[str, int]]:
    """Host and port, or None for the absolute path of a unix socket."""
    if address.startswith("/"):
        return None
    match = _TCP.match(address)
    if not match or not 0 < int(match.group("port")) < 65536:
        raise FleetError(
            f"{address!r} is not the address of an haproxy socket.",
            kind="bad_address",
            remedy="Give the absolute path of a unix socket, or host:port.",
        )
    return match.group("six") or match.group("host"), int(match.group("port"))


def parse_information(text: str, address: str = "") -> Dict[str, str]:
    """``show info`` (lines of ``Key: value``); raises FleetError ``unexpected_answer``."""
    pairs = (line.partition(":") for line in text.splitlines() if line.strip())
    values = {key.strip(): value.strip() for key, _separator, value in pairs}
    missing = [key for key in ("Name", "Version", "Pid") if key not in values]
    if missing:
        raise _unexpected("show info", address, f"lacks {', '.join(missing)}", text)
    return values


def parse_statistics(text: str, address: str = "") -> List[Dict[str, str]]:
    """``show stat`` (CSV, the header's first name after ``# ``); raises FleetError ``unexpected_answer``."""
    if not text.startswith("# "):
        raise _unexpected("show stat", address, "has no header", text)
    header, *rows = list(csv.reader(text[2:].splitlines()))
    missing = [column for column in _STAT_COLUMNS if column not in header]
    if missing:
        raise _unexpected("show stat", address, f"lacks the columns {', '.join(missing)}", text)
    found = [dict(zip(header, row)) for row in rows if row]
    if any(len(row) != len(header) for row in rows if row):
        raise _unexpected("show stat", address, "has a row that does not fit its header", text)
    return found


def parse_servers_state(text: str, address: str = "") -> List[Dict[str, str]]:
    """``show servers state`` (format 1, columns by name); raises FleetError ``unexpected_answer``."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# "):
        raise _unexpected("show servers state", address, "is not of format 1", text)
    header = lines[1][2:].split()
    missing = [column for column in _STATE_COLUMNS if column not in header]
    if missing:
        raise _unexpected("show servers state", address, f"lacks the columns {', '.join(missing)}", text)
    rows = [line.split() for line in lines[2:]]
    if any(len(row) != len(header) for row in rows):
        raise _unexpected("show servers state", address, "has a row that does not fit its header", text)
    return [dict(zip(header, row)) for row in rows]


def _unexpected(command: str, address: str, what: str, text: str) -> FleetError:
    return FleetError(
        f"The answer of haproxy at {address} to '{command}' {what}.",
        kind="unexpected_answer",
        remedy="Is this the runtime socket of an haproxy of version 2.2 or later?",
        data={"socket": address, "answer": text[:500]},
    )
