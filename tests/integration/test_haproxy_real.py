# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real haproxy on loopback: no request is lost while a server leaves, while haproxy reloads, and when it returns."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.runtime import Runtime
from ansible_collections.bankops.fleet.plugins.module_utils._haproxy.server import Wish, drain, ready

NAMES = ("web1", "web2", "web3")
CONFIGURATION = """
global
    stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
    stats socket {folder}/operator.sock mode 600 level operator
    stats socket 127.0.0.1:{stats_port} level admin
    server-state-file {folder}/server-state
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
    load-server-state-from-file global
frontend web
    bind 127.0.0.1:{port}
    default_backend web
backend web
    option httpchk GET /
    default-server inter 200ms fall 2 rise 2
{servers}
backend unchecked
    server web1 127.0.0.1:{first}
"""


def free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is found."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


class Web:
    """An HTTP server that says its name; ``/slow`` takes a second. While it is ``broken`` it says 503."""

    def __init__(self, name: str, port: int) -> None:
        self.name, self.port = name, port
        self.broken = False
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/slow":
                    time.sleep(1)
                body = web.name.encode()
                self.send_response(503 if web.broken else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # a health check does not wait for the body
                    self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass
class Traffic:
    """Requests without retries, one after the other; who answered, and what failed."""

    port: int
    answers: list[tuple[float, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read().decode()
            if response.status != 200:
                raise OSError(f"status {response.status}")
            return body

    def once(self) -> None:
        try:
            name = self.get()
        except (OSError, http.client.HTTPException) as problem:
            self.failures.append(f"{time.strftime('%H:%M:%S')} {problem!r}")
        else:
            self.answers.append((time.monotonic(), name))

    def run(self) -> None:
        while not self.stopped.is_set():
            self.once()
            time.sleep(0.005)

    def since(self, moment: float) -> Counter[str]:
        return Counter(name for when, name in self.answers if when >= moment)


@dataclass
class Balancer:
    """A running haproxy with its web servers."""

    folder: Path
    webs: dict[str, Web]
    traffic: Traffic
    master: subprocess.Popen[bytes]
    stats_port: int
    runtime: Runtime

    def wish(self, **changes: object) -> Wish:
        values = {
            "backend": "web",
            "server": "web1",
            "drain_timeout": 10,
            "up_timeout": 10,
            "interval": 0.05,
            **changes,
        }
        return Wish(**values)  # type: ignore[arg-type]

    def reload(self) -> None:
        """Replace the worker, as systemctl reload does, and wait for the new one."""
        before = self.runtime.information()["Pid"]
        self.master.send_signal(signal.SIGUSR2)
        wait_for(lambda: self.runtime.information()["Pid"] != before)

    def statuses(self) -> dict[str, str]:
        return {row["svname"]: row["status"] for row in self.runtime.statistics("web")}

    def sessions(self) -> int:
        return sum(int(row["scur"]) for row in self.runtime.statistics("web"))


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(FleetError):
            if condition():
                return
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    haproxy = shutil.which("haproxy", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin")
    assert haproxy, "haproxy is not installed: lab/setup does it"
    port, stats_port, *web_ports = free_ports(2 + len(NAMES))
    webs = {name: Web(name, web_port) for name, web_port in zip(NAMES, web_ports, strict=True)}
    servers = "\n".join(f"    server {web.name} 127.0.0.1:{web.port} check" for web in webs.values())
    (tmp_path / "server-state").touch()
    (tmp_path / "haproxy.cfg").write_text(
        CONFIGURATION.format(
            folder=tmp_path, port=port, stats_port=stats_port, servers=servers, first=webs["web1"].port
        )
    )
    with contextlib.ExitStack() as stack:
        for web in webs.values():
            web.start()
            stack.callback(web.stop)
        master = subprocess.Popen([haproxy, "-W", "-q", "-f", str(tmp_path / "haproxy.cfg")])
        stack.callback(master.wait)
        stack.callback(master.terminate)
        traffic = Traffic(port)
        found = Balancer(tmp_path, webs, traffic, master, stats_port, Runtime(str(tmp_path / "admin.sock")))
        wait_for(lambda: set(found.statuses().values()) == {"UP"})
        thread = threading.Thread(target=traffic.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(traffic.stopped.set)
        yield found


def test_no_request_is_lost_while_a_server_is_away(balancer: Balancer) -> None:
    drained = drain([balancer.runtime], balancer.wish())
    assert (drained["after"]["admin_state"], drained["healthy"]) == ("drain", ["web2", "web3"])
    gone = time.monotonic()
    balancer.webs["web1"].stop()
    wait_for(lambda: balancer.statuses()["web1"] == "DOWN")
    balancer.webs["web1"].start()
    wait_for(lambda: balancer.statuses()["web1"] == "DRAIN")
    assert balancer.traffic.since(gone)["web1"] == 0, "it stays drained when its checks pass again"
    back = ready([balancer.runtime], balancer.wish())
    assert (back["after"]["status"], back["other_out_of_service"]) == ("UP", [])
    returned = time.monotonic()
    wait_for(lambda: balancer.traffic.since(returned)["web1"] > 5)
    assert balancer.traffic.failures == []
    assert set(balancer.traffic.since(gone)) == set(NAMES)


@pytest.mark.parametrize("maintenance", [False, True])
def test_a_server_that_is_not_well_gets_no_request_when_it_is_returned(balancer: Balancer, maintenance: bool) -> None:
    drain([balancer.runtime], balancer.wish(maintenance=maintenance))
    balancer.webs["web1"].broken = True  # before haproxy's next check can have seen it
    with pytest.raises(FleetError) as caught:
        ready([balancer.runtime], balancer.wish(maintenance=maintenance, up_timeout=1))
    assert caught.value.kind == "not_up"
    assert balancer.traffic.failures == []


def test_a_drained_server_stays_drained_over_a_reload(balancer: Balancer) -> None:
    state_file = str(balancer.folder / "server-state")
    drain([balancer.runtime], balancer.wish(state_file=state_file))
    balancer.webs["web1"].stop()
    gone = time.monotonic()
    balancer.reload()
    time.sleep(1)
    assert balancer.statuses()["web1"] in ("DOWN", "DRAIN")
    assert not drain([balancer.runtime], balancer.wish(state_file=state_file))["changed"]
    assert balancer.traffic.since(gone)["web1"] == 0
    balancer.webs["web1"].start()
    ready([balancer.runtime], balancer.wish(state_file=state_file))
    balancer.reload()
    assert balancer.statuses()["web1"].startswith("UP"), "the state file does not drain it again"
    assert balancer.traffic.failures == []


def test_without_the_state_file_a_reload_undoes_the_drain_and_that_is_seen(balancer: Balancer) -> None:
    drain([balancer.runtime], balancer.wish())
    balancer.reload()
    assert ready([balancer.runtime], balancer.wish())["before"]["admin_state"] == "ready"


def test_sessions_are_waited_for(balancer: Balancer) -> None:
    answers: list[str] = []
    clients = [threading.Thread(target=lambda: answers.append(balancer.traffic.get("/slow"))) for _ in range(6)]
    for client in clients:
        client.start()
    wait_for(lambda: balancer.sessions() >= 6)
    result = drain([balancer.runtime], balancer.wish())
    assert result["before"]["sessions"] >= 1
    assert result["after"]["sessions"] == 0
    for client in clients:
        client.join()
    assert Counter(answers)["web1"] >= 1
    assert balancer.traffic.failures == []


def test_sessions_that_take_too_long_leave_the_server_in_service(balancer: Balancer) -> None:
    clients = [threading.Thread(target=balancer.traffic.get, args=("/slow",)) for _ in range(6)]
    for client in clients:
        client.start()
    wait_for(lambda: balancer.sessions() >= 6)
    with pytest.raises(FleetError) as caught:
        drain([balancer.runtime], balancer.wish(drain_timeout=0.1))
    assert caught.value.kind == "sessions_remain"
    assert balancer.statuses()["web1"] == "UP"
    for client in clients:
        client.join()
    assert balancer.traffic.failures == []


def test_the_last_server_stays(balancer: Balancer) -> None:
    drain([balancer.runtime], balancer.wish(server="web2"))
    balancer.webs["web3"].stop()
    wait_for(lambda: balancer.statuses()["web3"] == "DOWN")
    with pytest.raises(FleetError) as caught:
        drain([balancer.runtime], balancer.wish())
    assert caught.value.kind == "too_few_healthy"


def test_a_backend_without_checks_is_no_proof(balancer: Balancer) -> None:
    wish = balancer.wish(backend="unchecked", min_healthy=0, up_timeout=0.2)
    drain([balancer.runtime], wish)
    with pytest.raises(FleetError) as caught:
        ready([balancer.runtime], wish)
    assert caught.value.kind == "not_up"
    trusting = balancer.wish(backend="unchecked", count_unchecked=True)
    assert ready([balancer.runtime], trusting)["after"]["operational_state"] == "unchecked"


def test_the_socket_may_be_a_port_and_must_have_the_level(balancer: Balancer) -> None:
    both = [balancer.runtime, Runtime(f"127.0.0.1:{balancer.stats_port}")]
    assert len(drain(both, balancer.wish())["instances"]) == 2
    assert ready(both, balancer.wish())["after"]["status"] == "UP"
    with pytest.raises(FleetError) as caught:
        drain([Runtime(str(balancer.folder / "operator.sock"))], balancer.wish(), check_mode=True)
    assert caught.value.kind == "permission_denied"
