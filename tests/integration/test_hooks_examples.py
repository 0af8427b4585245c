# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example hooks, included as the role includes them, against HTTP services that remember and refuse nonsense."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = {
    "cycle": "2026-11",
    "tenant": "north",
    "plan": "0f" * 32,
    "attempt": 2,
    "wave": "canary",
    "batch": 1,
    "hosts": ["web1.example"],
    "host": "web1.example",
}
# What Alertmanager's v2 API requires of a silence: the name and the JSON type of each field.
MATCHER = {"name": str, "value": str, "isRegex": bool, "isEqual": bool}
SILENCE = {"matchers": list, "startsAt": str, "endsAt": str, "createdBy": str, "comment": str}


class Services(BaseHTTPRequestHandler):
    """Alertmanager's silences, one member of a load balancer, a ticket to comment on, and tickets of changes."""

    silences: ClassVar[dict[str, dict[str, Any]]] = {}
    expired: ClassVar[list[str]] = []
    member: ClassVar[dict[str, Any]] = {}
    comments: ClassVar[list[str]] = []
    changes: ClassVar[dict[str, str]] = {}

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/api/v2/silences":
            complaints = complaints_about(body)
            if complaints:
                return self._answer(400, complaints)
            identity = f"silence-{len(self.silences) + 1}"
            self.silences[identity] = body
            return self._answer(200, {"silenceID": identity})
        if self.path == "/tickets/1/comments" and isinstance(body.get("comment"), str):
            self.comments.append(body["comment"])
            return self._answer(201, {})
        return self._answer(404, "no such path")

    def do_DELETE(self) -> None:
        identity = self.path.rpartition("/")[2]
        if self.path != f"/api/v2/silence/{identity}" or identity not in self.silences:
            return self._answer(404, "no such silence")
        self.expired.append(identity)
        return self._answer(200, {})

    def do_PATCH(self) -> None:
        self.member["state"] = self._body()["state"]
        self.member["asked"] = self.member.get("asked", 0) + 1
        self._answer(200, {})

    def do_GET(self) -> None:
        folder, _slash, identity = self.path.rpartition("/")
        if folder == "/changes":
            # As many ticket systems do, it finds ids by their beginning.
            found = [each for each in self.changes if each.startswith(identity)]
            return (
                self._answer(200, {"id": found[0], "state": self.changes[found[0]]}) if found else self._answer(404, {})
            )
        self.member["connections"] = max(0, self.member["connections"] - 1)
        return self._answer(200, self.member)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def complaints_about(silence: dict[str, Any]) -> list[str]:
    """What Alertmanager would refuse, and fields that it does not know and would ignore."""
    found = [f"{name} is missing" for name in SILENCE if not isinstance(silence.get(name), SILENCE[name])]
    found += [f"{name} is unknown" for name in silence if name not in SILENCE]
    for matcher in silence.get("matchers") or [{}]:
        found += [f"matcher: {name}" for name, kind in MATCHER.items() if not isinstance(matcher.get(name), kind)]
    if not found and parse(silence["endsAt"]) <= parse(silence["startsAt"]):
        found.append("it ends before it starts")
    return found


def parse(time: str) -> datetime:
    """An RFC 3339 time in UTC."""
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


@pytest.fixture
def services() -> Iterator[str]:
    for remembered in (Services.silences, Services.expired, Services.member, Services.comments, Services.changes):
        remembered.clear()
    Services.member.update(state="online", connections=3)
    with ThreadingHTTPServer(("127.0.0.1", 0), Services) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(folder: Path, points: dict[str, str], **variables: Any) -> subprocess.CompletedProcess[str]:
    """Include an example at each of these points, as the role does; after a host, all went well unless it is said."""
    context = {**CONTEXT, **({"ticket": variables.pop("ticket")} if "ticket" in variables else {})}
    outcome = variables.pop("outcome", "verified")
    tasks = [
        {
            "name": f"Run the hook at {point}",
            "ansible.builtin.include_tasks": str(ROOT / "playbooks" / "hooks" / f"{hook}.yml"),
            "vars": {
                "fleet_hook": {**context, "point": point, **({"outcome": outcome} if point == "after_host" else {})}
            },
        }
        for point, hook in points.items()
    ]
    playbook = folder / "playbook.json"
    play = {"name": "Hooks", "hosts": "web1.example", "gather_facts": False, "vars": variables, "tasks": tasks}
    playbook.write_text(json.dumps([play]))
    inventory = folder / "inventory.json"
    # The host itself is not reachable: a hook that does not delegate would fail.
    hosts = {"web1.example": {"ansible_host": "127.0.0.1", "ansible_port": 1}}
    controller = {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}
    inventory.write_text(json.dumps({"all": {"hosts": {**hosts, **controller}}}))
    configuration = folder / "ansible.cfg"
    configuration.write_text("")
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(playbook)],
        env={**os.environ, "ANSIBLE_CONFIG": str(configuration), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


SILENCING = {"before_host": "alertmanager_silence", "after_host": "alertmanager_expire"}


@pytest.mark.parametrize("outcome", ["verified", "failed"])
def test_a_hosts_alerts_are_silent_only_while_it_is_patched(services: str, tmp_path: Path, outcome: str) -> None:
    done = run(tmp_path, SILENCING, alertmanager_url=services, alertmanager_silence_minutes=30, outcome=outcome)
    assert done.returncode == 0, done.stdout
    (silence,) = Services.silences.values()
    assert parse(silence["endsAt"]) - parse(silence["startsAt"]) == timedelta(minutes=30)
    (matcher,) = silence["matchers"]
    # Alertmanager anchors regular expressions.
    assert re.fullmatch(matcher["value"], "web1.example:9100")
    assert re.fullmatch(matcher["value"], "web1.example")
    assert not re.fullmatch(matcher["value"], "web1xexample:9100")
    assert not re.fullmatch(matcher["value"], "web1.example.org")
    assert "2026-11" in silence["comment"]
    assert Services.expired == ["silence-1"]


def test_without_a_silence_there_is_none_to_expire(services: str, tmp_path: Path) -> None:
    done = run(tmp_path, {"after_host": "alertmanager_expire"}, alertmanager_url=services)
    assert done.returncode == 0, done.stdout
    assert Services.expired == []


def test_an_alertmanager_that_refuses_fails_the_hook(services: str, tmp_path: Path) -> None:
    points = {"before_host": "alertmanager_silence"}
    assert run(tmp_path, points, alertmanager_url=services, alertmanager_silence_minutes=0).returncode != 0


def test_a_load_balancer_has_no_connection_left_before_the_host_and_serves_after_it(
    services: str, tmp_path: Path
) -> None:
    member = {"load_balancer_member_url": f"{services}/members/web1", "load_balancer_wait_seconds": 20}
    assert run(tmp_path, {"before_host": "http_load_balancer"}, **member).returncode == 0
    assert (Services.member["state"], Services.member["connections"]) == ("offline", 0)
    assert run(tmp_path, {"after_host": "http_load_balancer"}, **member).returncode == 0
    assert Services.member["state"] == "online"


def test_a_host_that_failed_stays_out_of_the_load_balancer(services: str, tmp_path: Path) -> None:
    member = {"load_balancer_member_url": f"{services}/members/web1"}
    assert run(tmp_path, {"after_host": "http_load_balancer"}, outcome="failed", **member).returncode == 0
    assert "asked" not in Services.member


def test_the_ticket_reads_what_happened(services: str, tmp_path: Path) -> None:
    points = {"before_host": "ticket_comment", "after_host": "ticket_comment"}
    done = run(tmp_path, points, ticket_comments_url=f"{services}/tickets/1/comments")
    assert done.returncode == 0, done.stdout
    assert Services.comments == [
        "Before host: cycle 2026-11, wave canary, host web1.example.",
        "After host: cycle 2026-11, wave canary, host web1.example, outcome verified.",
    ]


@pytest.mark.parametrize(
    ("ticket", "more", "approved"),
    [
        ("CHG0031337", {}, True),
        ("CHG0031337", {"change_ticket_states": ["implement"]}, False),
        ("CHG0004711", {}, False),
        ("CHG0000001", {}, False),
        ("CHG00313", {}, False),
        ("../changes/CHG0031337", {}, False),
    ],
)
def test_a_change_is_made_only_under_an_approved_ticket(
    services: str, tmp_path: Path, ticket: str, more: dict[str, Any], approved: bool
) -> None:
    Services.changes.update({"CHG0031337": "scheduled", "CHG0004711": "draft"})
    url = {"change_ticket_url": f"{services}/changes"}
    done = run(tmp_path, {"change_ticket": "change_ticket_lookup"}, ticket=ticket, **url, **more)
    assert (done.returncode == 0) == approved, done.stdout
    if ticket == "CHG0004711":
        assert (
            "CHG0004711 is in the state draft, and a change may be carried out in scheduled, implement." in done.stdout
        )


def test_a_ticket_system_that_cannot_be_asked_fails_the_hook(tmp_path: Path) -> None:
    points = {"change_ticket": "change_ticket_lookup"}
    done = run(tmp_path, points, ticket="CHG0031337", change_ticket_url="http://127.0.0.1:9/changes")
    assert done.returncode != 0
