# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An haproxy of our own: the runtime protocol over a unix socket, with servers that have sessions and checks.

It answers in the words and columns of haproxy 2.6, and moves with every ``show stat``: the sessions of a server
that is out of service fall, and its check goes one step on. What it was told stands in ``commands``.
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

STAT = "pxname,svname,qcur,scur,status,weight,act,bck,check_status,tracked,cookie,"
STATE = "be_id be_name srv_id srv_name srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state"
NO_SERVER, NO_BACKEND = "No such server.\n", "No such backend.\n"
RISE = 2


@dataclass
class FakeServer:
    """A server. ``alive`` is what a check would find; ``passed`` counts the passed checks, up to RISE."""

    name: str
    sessions: int = 0
    sticky: bool = False
    weight: int = 1
    backup: bool = False
    checked: bool = True
    alive: bool = True
    up: bool = True
    passed: int = RISE
    bits: int = 0
    cookie: str = ""

    @property
    def status(self) -> str:
        """The status column."""
        if self.bits & 0x23:
            return "MAINT"
        if not self.up:
            return "DOWN"
        in_service = "UP" if self.checked else "no check"
        word = "DRAIN" if self.bits & 0x18 else in_service
        return word if not self.checked or self.passed == RISE else f"{word} {self.passed}/{RISE}"

    def step(self) -> None:
        """What happens between two looks: sessions end, a check runs."""
        if self.bits & 0x3B and self.sessions and not self.sticky:
            self.sessions -= 1
        if self.checked and not self.bits & 0x23:
            # As in haproxy, a server that is down stays so until RISE checks in a row have passed.
            self.passed = min(self.passed + 1, RISE) if self.alive else 0
            self.up = self.alive and (self.up or self.passed == RISE)

    def taken_for_up(self) -> None:
        """What haproxy does with a server that leaves maintenance: up, with its next check still to come."""
        self.up, self.passed = True, RISE - 1


@dataclass
class FakeHaproxy:
    """One process with one backend. ``level`` is that of the socket; ``before`` may interfere with each command."""

    servers: list[FakeServer]
    backend: str = "web"
    level: str = "admin"
    commands: list[str] = field(default_factory=list)
    before: Callable[[str], str | None] = lambda _command: None

    def server(self, name: str) -> FakeServer:
        """The server of that name."""
        return next(server for server in self.servers if server.name == name)

    def answer(self, line: str) -> str:
        """All answers to one line of commands; every one ends with an empty line."""
        return "".join(self._one(command.strip()) + "\n" for command in line.split(";"))

    def orders(self) -> list[str]:
        """The commands that were to change something."""
        return [command for command in self.commands if command.startswith("set ")]

    def _one(self, command: str) -> str:
        self.commands.append(command)
        interference = self.before(command)
        if interference is not None:
            return interference
        words = command.split()
        if words[:2] == ["set", "server"]:
            return self._set(*words[2:])
        if command == "show cli level":
            return f"{self.level}\n"
        if command == "show info":
            return "Name: HAProxy\nVersion: 2.6.12\nPid: 7\n"
        if command == "show stat -1 4 -1":
            return self._stat()
        if words[:3] == ["show", "servers", "state"]:
            return self._state(words[3] if len(words) > 3 else self.backend)
        return "Unknown command.\n"

    def _stat(self) -> str:
        for server in self.servers:
            server.step()
        rows = [
            f"{self.backend},{s.name},0,{s.sessions},{s.status},{s.weight},{int(not s.backup)},{int(s.backup)},"
            f"{'L7OK' if s.checked else ''},,{s.cookie},"
            for s in self.servers
        ]
        return "\n".join([f"# {STAT}", *rows]) + "\n"

    def _state(self, backend: str) -> str:
        if backend != self.backend:
            return "Can't find backend.\n"
        rows = [
            f"3 {backend} {number} {s.name} {2 if s.up else 0} {s.bits} {s.weight} 1 {6 if s.checked else 0}"
            for number, s in enumerate(self.servers, 1)
        ]
        return "\n".join(["1", f"# {STATE}", *rows]) + "\n"

    def _set(self, target: str, what: str, value: str) -> str:
        if self.level != "admin":
            return "Permission denied\n"
        backend, _slash, name = target.partition("/")
        if backend != self.backend:
            return NO_BACKEND
        if name not in [server.name for server in self.servers]:
            return NO_SERVER
        server = self.server(name)
        if what == "health":
            server.up, server.passed = False, 0
            return ""
        if value != "maint" and server.bits & 1:
            server.taken_for_up()
        server.bits = server.bits & ~9 | {"ready": 0, "drain": 8, "maint": 1}[value]
        return ""


class _Listener(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    haproxy: FakeHaproxy
    lock: threading.Lock


class _Connection(socketserver.StreamRequestHandler):
    server: _Listener

    def handle(self) -> None:
        line = self.rfile.readline().decode().rstrip("\n")
        # An interference that raises this hangs up.
        with self.server.lock, contextlib.suppress(ConnectionResetError):
            self.wfile.write(self.server.haproxy.answer(line).encode())


@contextlib.contextmanager
def listening(haproxy: FakeHaproxy, path: Path) -> Iterator[str]:
    """Serve ``haproxy`` on the unix socket ``path``; gives the address."""
    with _Listener(str(path), _Connection) as listener:
        listener.haproxy, listener.lock = haproxy, threading.Lock()
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield str(path)
        finally:
            listener.shutdown()
            thread.join()
            path.unlink(missing_ok=True)
