# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever Falcon or the way there does: either all sensors are read, or it is said why not, and no secret with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("falconpy")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon import FalconSource
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_api import Reach
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import ATTEMPTS, Deadline
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.console import Console
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.faults import (
    DEVICES,
    GATEWAY,
    TOKEN,
    Spoil,
    answers,
    changed,
    fault,
    hangs,
    revoked,
    throttled,
)
from ansible_collections.bankops.fleet.tests.fakes.clouds.falcon.server import serving

SECRET = "s3cret-of-the-api-client"  # noqa: S105
LOGIN, LIST = "oauth2AccessToken", "CombinedDevicesByFilter"
CHILD = "c" * 32


@dataclass
class Reader:
    """A source of five sensors on pages of two, and the pauses it would have made."""

    console: Console
    source: FalconSource
    pauses: list[float] = field(default_factory=list)

    def read(self, seconds: float = 60, **options: Any) -> list[str]:
        """The ids of the sensors."""
        deadline = Deadline.after(seconds)
        source = replace(self.source, sleep=self.pauses.append, **options)
        return [sensor.aid for scope in source.scopes(deadline) for sensor in source.sensors(scope, deadline)]

    def refused(self, seconds: float = 60, **options: Any) -> SourceError:
        """Why it cannot be read. No message of any kind has a secret in it."""
        with pytest.raises(SourceError) as found:
            self.read(seconds, **options)
        told = f"{found.value} {found.value.remedy} {found.value.data} {found.value.__context__!r}"
        for secret in (SECRET, self.console.client.client_id, *self.console.tokens):
            assert secret not in told
        return found.value


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    console = Console(page=2)
    for number in range(5):
        console.add(f"a{number}")
    monkeypatch.setenv("FALCON_CLIENT_ID", console.client.client_id)
    monkeypatch.setenv("FALCON_CLIENT_SECRET", console.client.secret)
    for name in ("FALCON_CLOUD", "FALCON_MEMBER_CID"):
        monkeypatch.delenv(name, raising=False)
    with serving(console) as url:
        yield Reader(console, FalconSource("falcon", Reach(base_url=url, connect_timeout=1, read_timeout=1)))


ALL = ["a0", "a1", "a2", "a3", "a4"]


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        (TOKEN, throttled()),
        (DEVICES, throttled()),
        (TOKEN, answers(503, {"errors": [{"code": 503, "message": "busy"}]})),
        (DEVICES, answers(500, {"meta": {}, "errors": [{"code": 500, "message": "Internal Server Error"}]})),
        (TOKEN, answers(502, GATEWAY, kind="text/html")),
        (DEVICES, answers(502, GATEWAY, kind="text/html")),
    ],
    ids=["token 429", "429", "token 503", "500", "token 502 with HTML", "502 with HTML"],
)
@pytest.mark.parametrize("after", [0, 1])
def test_what_passes_by_itself_is_waited_for(reader: Reader, path: str, spoil: Spoil, after: int) -> None:
    fault(reader.console, path, spoil, times=3, after=after)
    assert reader.read() == ALL
    assert len(reader.pauses) == (0 if path == TOKEN and after else 3)


@pytest.mark.parametrize("unit", [1, 1000], ids=["seconds", "milliseconds"])
def test_the_epoch_that_the_service_names_is_kept_to(reader: Reader, unit: int) -> None:
    fault(reader.console, DEVICES, throttled(retry_after=(time.time() + 12) * unit))
    assert reader.read() == ALL
    [pause] = reader.pauses
    assert 10 < pause < 13


def test_an_epoch_that_has_passed_or_is_none_is_no_pause(reader: Reader) -> None:
    fault(reader.console, DEVICES, throttled(retry_after=5))
    fault(reader.console, DEVICES, answers(429, {"errors": []}, X_RateLimit_RetryAfter="soon"))
    assert reader.read() == ALL
    assert all(pause < 2 for pause in reader.pauses)


def test_retry_after_is_understood_as_well(reader: Reader) -> None:
    fault(reader.console, DEVICES, answers(503, {"errors": []}, Retry_After="7"))
    assert reader.read() == ALL
    assert 7 <= reader.pauses[0] < 8


def test_an_epoch_after_the_deadline_is_not_waited_for(reader: Reader) -> None:
    fault(reader.console, DEVICES, throttled(retry_after=time.time() + 3600))
    refused = reader.refused()
    assert (refused.kind, reader.pauses) == ("throttled", [])
    assert refused.message.endswith("hosts:CombinedDevicesByFilter: status 429: API rate limit exceeded")


def test_trouble_that_stays_is_told(reader: Reader) -> None:
    fault(reader.console, DEVICES, answers(502, GATEWAY, kind="text/html"), times=-1)
    refused = reader.refused(seconds=600)
    assert refused.kind == "api_error"
    assert refused.message.endswith("status 502")
    assert len(reader.pauses) == ATTEMPTS - 1


@pytest.mark.parametrize("lifetime", [60, 1799], ids=["expires soon", "lasts"])
def test_a_token_that_expires_or_is_revoked_between_pages_is_renewed(reader: Reader, lifetime: int) -> None:
    reader.console.lifetime = lifetime
    fault(reader.console, DEVICES, revoked(reader.console))
    assert reader.read() == ALL
    assert reader.pauses == []


def test_a_token_that_is_never_taken_ends_it(reader: Reader) -> None:
    fault(
        reader.console,
        DEVICES,
        answers(401, {"errors": [{"message": "access denied, invalid bearer token"}]}),
        times=-1,
    )
    refused = reader.refused()
    assert refused.kind == "credentials_refused"
    assert reader.console.calls == [LOGIN, LIST] * 2


@pytest.mark.parametrize("total", [0, 5])
def test_resources_may_be_null_only_where_there_are_none(reader: Reader, total: int) -> None:
    def empty(body: dict[str, Any]) -> None:
        body.update(resources=None)
        body["meta"]["pagination"] = {"offset": "", "total": total}

    fault(reader.console, DEVICES, changed(empty), times=-1)
    if total:
        assert reader.refused().kind == "answer_partial"
    else:
        assert reader.read() == []


def test_fewer_sensors_than_there_are_is_an_error(reader: Reader) -> None:
    fault(reader.console, DEVICES, changed(lambda body: body.update(resources=body["resources"][:1])), after=1)
    refused = reader.refused()
    assert refused.kind == "answer_partial"
    assert "4 sensors came, and there are 5" in refused.message


def test_pages_that_repeat_themselves_end(reader: Reader) -> None:
    def again(body: dict[str, Any]) -> None:
        body["resources"] = [{"device_id": "a0"}]

    fault(reader.console, DEVICES, changed(again), times=-1)
    assert "1 sensors came, and there are 5" in reader.refused().message


def test_sensors_that_vanish_while_pages_are_read_are_missed(reader: Reader) -> None:
    def shrinks(body: dict[str, Any]) -> None:
        body["meta"]["pagination"] = {"offset": "", "total": 2}

    fault(reader.console, DEVICES, changed(shrinks), after=1)
    assert "4 sensors came, and there are 5" in reader.refused().message


def test_errors_beside_content_make_it_partial(reader: Reader) -> None:
    def ill(body: dict[str, Any]) -> None:
        body["errors"] = [{"code": 500, "message": "shard 3 timed out"}]

    fault(reader.console, DEVICES, changed(ill))
    refused = reader.refused()
    assert refused.kind == "answer_partial"
    assert refused.message.endswith("shard 3 timed out")


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        (DEVICES, answers(200, "{oops")),
        (DEVICES, answers(200, "")),
        (DEVICES, answers(200, "null")),
        (DEVICES, answers(200, "[1]")),
        (DEVICES, answers(200, "hello", kind="text/plain")),
        (DEVICES, answers(200, GATEWAY, kind="text/html")),
        (DEVICES, answers(200, {"meta": {}, "errors": [], "resources": []})),
        (DEVICES, answers(200, {"meta": {"pagination": {"total": "5"}}, "errors": [], "resources": []})),
        (DEVICES, answers(200, {"meta": {"pagination": {"total": 1}}, "errors": [], "resources": {"a": 1}})),
        (DEVICES, answers(200, {"meta": {"pagination": {"total": 1}}, "errors": [], "resources": ["a0"]})),
        (DEVICES, answers(200, {"meta": {"pagination": {"total": 1}}, "errors": [], "resources": [{"cid": "x"}]})),
        (TOKEN, answers(201, "{oops")),
        (TOKEN, answers(201, "[1]")),
        (TOKEN, answers(201, {"token_type": "bearer"})),
        (TOKEN, answers(200, GATEWAY, kind="text/html")),
    ],
)
def test_what_is_no_answer_of_falcon_is_not_taken_for_one(reader: Reader, path: str, spoil: Spoil) -> None:
    fault(reader.console, path, spoil, times=-1)
    assert reader.refused().kind == "answer_malformed"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"client_id": "somebody-else"}, "status 400: Failed to generate access token for clientID=[redacted]"),
        ({"secret": "another-secret"}, "status 403: Failed to issue access token - Not Authorized"),
    ],
)
def test_credentials_that_are_refused(reader: Reader, wrong: dict[str, str], said: str) -> None:
    for name, value in wrong.items():
        setattr(reader.console.client, name, value)
    refused = reader.refused()
    assert refused.kind == "credentials_refused"
    assert refused.message == f"source falcon: oauth2:oauth2AccessToken: {said}"
    assert "FALCON_CLIENT_SECRET" in refused.remedy


def test_a_cid_that_is_no_child(reader: Reader) -> None:
    refused = reader.refused(member_cids=(CHILD,))
    assert refused.kind == "credentials_refused"
    assert f"{CHILD} must be a child CID" in refused.remedy


def test_a_scope_that_is_missing_is_named(reader: Reader) -> None:
    reader.console.client.scopes = {"Alerts: Read"}
    refused = reader.refused()
    assert refused.kind == "access_denied"
    assert refused.message.endswith("status 403: access denied, scope not permitted")
    assert refused.remedy == "Give the API client the scope Hosts: Read in the Falcon console."


def test_a_filter_that_is_refused(reader: Reader) -> None:
    refused = reader.refused(filter="last_seen:>'now-1d'")
    assert refused.kind == "api_error"
    assert refused.message.endswith("status 400: invalid filter")


def test_an_answer_that_does_not_come(reader: Reader) -> None:
    fault(reader.console, DEVICES, hangs(1), times=-1)
    refused = reader.refused(reach=replace(reader.source.reach, read_timeout=0.2))
    assert refused.kind == "timed_out"
    assert len(reader.pauses) == 2


def test_no_answer_is_waited_for_beyond_the_deadline(reader: Reader) -> None:
    fault(reader.console, DEVICES, hangs(3), times=-1)
    started = time.monotonic()
    slow = replace(reader.source.reach, read_timeout=60)
    assert reader.refused(seconds=0.5, reach=slow).kind == "timed_out"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("proxy", ["", "http://127.0.0.1:9"])
def test_nobody_is_there(reader: Reader, proxy: str) -> None:
    address = reader.source.reach.base_url if proxy else "http://127.0.0.1:9"
    refused = reader.refused(reach=replace(reader.source.reach, base_url=address, proxy=proxy))
    assert refused.kind == "unreachable"
    assert "Connection refused" in refused.message
    assert len(reader.pauses) == 2


def test_a_redirection_is_not_followed(reader: Reader) -> None:
    fault(reader.console, TOKEN, answers(307, Location="http://127.0.0.1:9/oauth2/token"), times=-1)
    refused = reader.refused()
    assert (refused.kind, refused.message.rpartition(": ")[2]) == ("api_error", "status 307")


def test_what_the_service_says_cannot_rewrite_the_terminal(reader: Reader) -> None:
    fault(reader.console, DEVICES, answers(400, {"errors": [{"message": "\x1b[2J gone\n" + "x" * 5000}]}))
    message = reader.refused().message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize("missing", ["FALCON_CLIENT_ID", "FALCON_CLIENT_SECRET"])
def test_credentials_that_are_missing(reader: Reader, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv(missing, "")
    refused = reader.refused()
    assert refused.kind == "credentials_missing"
    assert f"{missing} is not set" in refused.message
    assert reader.console.calls == []


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [("FALCON_CLOUD", "eu1", "Did you mean eu-1?"), ("FALCON_MEMBER_CID", "beta", "Write it like 0123")],
)
def test_an_environment_that_nobody_understands(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    monkeypatch.setenv(name, value)
    refused = reader.refused(reach=Reach())
    assert refused.message == f"source falcon: {name}: {value} is not known"
    assert refused.remedy.startswith(remedy)


def test_certificates_that_are_not_there(reader: Reader) -> None:
    refused = reader.refused(reach=replace(reader.source.reach, ca_file="/nonexistent/ca.pem"))
    assert refused.kind == "certificate_bad"
    assert "/nonexistent/ca.pem is no file" in refused.message


def test_a_library_that_is_missing(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    wire = "ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_wire"
    monkeypatch.delitem(sys.modules, wire, raising=False)
    monkeypatch.setitem(sys.modules, "falconpy", None)
    refused = reader.refused()
    assert refused.kind == "library_missing"
    assert "requirements-falcon.txt" in refused.remedy


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        (TOKEN, answers(307, Location="http://127.0.0.1:9")),
        (DEVICES, throttled(retry_after=time.time() + 3600)),
        (DEVICES, answers(502, GATEWAY, kind="text/html")),
        (DEVICES, answers(403, {"errors": [{"code": 403, "message": "access denied, scope not permitted"}]})),
        (DEVICES, answers(400, {"errors": [{"code": 400, "message": "invalid filter"}]})),
        (DEVICES, answers(200, GATEWAY, kind="text/html")),
        (DEVICES, hangs(1)),
        (TOKEN, answers(400, {"errors": [{"message": "Failed to generate access token for clientID=c11e07"}]})),
        (TOKEN, answers(403, {"errors": [{"message": "Failed to issue access token - Not Authorized"}]})),
    ],
)
def test_the_documentation_has_a_row_for_what_is_said(reader: Reader, path: str, spoil: Spoil) -> None:
    fault(reader.console, path, spoil, times=-1)
    reach = replace(reader.source.reach, read_timeout=0.2)
    message = reader.refused(reach=reach).message.removeprefix("source falcon: ")
    page = (Path(__file__).parents[5] / "docs" / "inventory" / "falcon.md").read_text(encoding="utf-8")
    assert f"| `{message.replace(reach.base_url, 'https://…')}` |" in page
