# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with Google Cloud passes by itself, or is told with its place and its remedy; nothing is left out."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

pytest.importorskip("googleapiclient")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import gcp
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.google import LIST_INSTANCES, TOKEN, FakeGoogle, Trouble
from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.state import Instance
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.gcp_sources import (
    PROJECT,
    fleet,
    google_before,
    read,
    source_of,
)

FOLDERS = "cloudresourcemanager.folders.list"
LISTED = f"source production, {PROJECT}: compute.instances.aggregatedList: "


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    monkeypatch.setattr(gcp, "INSTANCES_PER_PAGE", 2)
    with google_before(monkeypatch, tmp_path) as fake:
        yield fake


def problem_of(source: gcp.GcpSource, seconds: float = 20) -> SourceError:
    """What is said instead of machines."""
    with pytest.raises((SourceError, ScopesError)) as caught:
        read(source, seconds)
    found = caught.value
    problem = found.problems[0] if isinstance(found, ScopesError) else found
    assert isinstance(problem, SourceError)
    assert "ya29" not in problem.message + problem.remedy
    return problem


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(429, "rateLimitExceeded"),
        Trouble(429, "rateLimitExceeded", times=3, spare=1),
        Trouble(403, "rateLimitExceeded"),
        Trouble(403, "userRateLimitExceeded", spare=2),
        Trouble(403, "quotaExceeded"),
        Trouble(500, times=2),
        Trouble(503, retry_after="0"),
        Trouble("cut", spare=1),
        Trouble(503, method=TOKEN),
    ],
    ids=str,
)
def test_what_passes_by_itself_is_tried_again(google: FakeGoogle, trouble: Trouble) -> None:
    fleet(google, 5)
    google.troubles.append(trouble)
    assert len(read(source_of(google))) == 5
    assert google.troubles == []


def in_two_seconds() -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(("after", "least"), [("1", 1.0), (in_two_seconds, 0.2)], ids=["seconds", "a date"])
def test_the_service_says_when_it_wants_to_be_asked_again(google: FakeGoogle, after: object, least: float) -> None:
    fleet(google)
    google.troubles.append(Trouble(503, retry_after=after() if callable(after) else str(after)))
    began = time.monotonic()
    assert len(read(source_of(google))) == 2
    assert time.monotonic() - began >= least


def test_a_service_that_wants_more_time_than_there_is_is_not_waited_for(google: FakeGoogle) -> None:
    fleet(google)
    google.troubles.append(Trouble(429, "rateLimitExceeded", retry_after="3600"))
    problem = problem_of(source_of(google))
    assert problem.kind == "throttled"
    assert problem.message == f"{LISTED}429 Trouble: rateLimitExceeded (rateLimitExceeded)"
    assert problem.remedy == "Others ask too: run it later, give it more time (timeout), or raise the quota."


def test_a_token_that_expires_between_two_pages_is_renewed(google: FakeGoogle) -> None:
    fleet(google, 5)
    source, deadline = source_of(google), Deadline.after(20)
    (scope,) = source.scopes(deadline)
    found = []
    for number, machine in enumerate(source.machines(scope, deadline)):
        found.append(machine)
        if number == 1:
            google.tokens.issued.clear()
    assert len(found) == 5
    assert len(google.calls(TOKEN)) == 2


def test_a_login_that_is_over_is_refused(google: FakeGoogle) -> None:
    fleet(google)
    google.troubles.append(Trouble(401, "authError", times=9))
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_refused"
    assert problem.remedy.startswith("Log in again")


def test_a_zone_that_cannot_be_told_of_is_a_partial_answer(google: FakeGoogle) -> None:
    google.cloud.project(PROJECT, Instance("web-1"), Instance("web-2", "us-east1-b"), unreachable={"us-east1-b"})
    problem = problem_of(source_of(google))
    assert problem.kind == "answer_partial"
    assert problem.message == f"{LISTED}the answer lacks us-east1-b (UNREACHABLE)"
    assert problem.data["account"] == PROJECT


def test_a_permission_that_is_missing_is_named(google: FakeGoogle) -> None:
    fleet(google)
    google.cloud.denied.add(("compute.instances.list", PROJECT))
    problem = problem_of(source_of(google))
    assert problem.kind == "access_denied"
    assert (
        problem.message
        == f"{LISTED}403 Required 'compute.instances.list' permission for 'projects/{PROJECT}' (forbidden)"
    )
    assert problem.remedy.startswith("Grant the account of the credentials the role")


def test_a_project_that_is_not_there_is_not_found(google: FakeGoogle) -> None:
    problem = problem_of(source_of(google))
    assert problem.kind == "not_found"
    assert problem.remedy == f"See that {PROJECT} exists and is spelt right: gcloud projects list."


def test_a_service_that_stays_down_is_told_after_some_attempts(google: FakeGoogle) -> None:
    fleet(google)
    google.troubles.append(Trouble(503, times=99))
    problem = problem_of(source_of(google))
    assert problem.kind == "api_error"
    assert problem.message == f"{LISTED}503 Trouble: backendError (backendError)"
    assert "status.cloud.google.com" in problem.remedy
    assert len(google.calls()) == 8


def test_a_page_of_a_portal_is_no_answer(google: FakeGoogle) -> None:
    fleet(google)
    google.troubles.append(Trouble("malformed"))
    problem = problem_of(source_of(google))
    assert problem.kind == "answer_malformed"
    assert problem.message == f"{LISTED}the answer is malformed: no JSON object"
    assert "proxy, portal or wrong address" in problem.remedy


def test_a_redirection_is_not_followed_with_the_token(google: FakeGoogle) -> None:
    fleet(google)
    google.troubles.append(Trouble(302))
    assert problem_of(source_of(google)).kind == "api_error"
    assert len(google.calls()) == 1


@pytest.mark.parametrize(("spare", "method"), [(0, ""), (1, ""), (0, TOKEN)])
def test_an_answer_that_never_comes_is_not_waited_for(google: FakeGoogle, spare: int, method: str) -> None:
    fleet(google, 3)
    hang = Trouble("hang", spare=spare, times=9)
    google.troubles.append(Trouble("hang", method=method, times=9) if method else hang)
    began = time.monotonic()
    problem = problem_of(source_of(google), seconds=0.6)
    assert time.monotonic() - began < 3
    assert problem.kind == "timed_out"
    # A machine that is busy has not asked before the time is up.
    assert problem.message.endswith((": no answer in time", ": the time was up before all was read"))


@pytest.mark.parametrize("method", [LIST_INSTANCES, FOLDERS])
def test_pages_that_lead_back_are_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, method: str) -> None:
    with google_before(monkeypatch, tmp_path, proxy=True) as google:
        fleet(google)
        tokens = {None: "Ci-page-1", "Ci-page-1": "Ci-page-2", "Ci-page-2": "Ci-page-1"}
        google.methods[method] = lambda call: {"nextPageToken": tokens[call.parameters.get("pageToken")]}
        problem = problem_of(source_of(google, endpoint="", parents=["organizations/2000"]))
        assert problem.kind == "answer_malformed"
        assert problem.message.endswith(f"{method}: the answer is malformed: the pages lead back to one that was read")
        assert len(google.calls(method)) == 3


def test_pages_that_never_end_are_read_no_longer_than_there_is_time(google: FakeGoogle) -> None:
    fleet(google)
    google.methods[LIST_INSTANCES] = lambda _call: {"nextPageToken": f"Ci-page-{len(google.asked)}"}
    source = source_of(google)
    (scope,) = source.scopes(Deadline.after(20))
    with pytest.raises(SourceError) as caught:
        list(source.machines(scope, Deadline.after(0.5)))
    assert caught.value.kind == "timed_out"
    assert caught.value.message == f"{LISTED}the time was up before all was read"
    assert caught.value.remedy == "Give it more time (timeout)."


def test_a_server_that_does_not_listen_is_unreachable(google: FakeGoogle) -> None:
    problem = problem_of(source_of(google, endpoint="http://127.0.0.1:9"), seconds=2)
    assert problem.kind == "unreachable"
    assert problem.message.endswith("Connection refused")
    assert "(endpoint) leads there" in problem.remedy


def test_a_token_may_open_too_little(google: FakeGoogle) -> None:
    fleet(google)
    google.tokens.narrow = True
    problem = problem_of(source_of(google))
    assert problem.kind == "access_denied"
    assert "insufficient authentication scopes" in problem.message
    assert "access scope" in problem.remedy


# Credentials


def test_without_credentials_it_is_said_where_they_are_looked_for(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_missing"
    assert problem.message.startswith("source production: google.auth.default: Your default credentials were not found")
    assert "gcloud auth application-default login" in problem.remedy


@pytest.mark.parametrize("content", [None, "", "{}", '{"type": "service_account", "private_key": "hunter2"}'])
def test_a_file_of_credentials_that_cannot_be_used_is_named(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "credentials.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_missing"
    assert "credentials.json" in problem.message
    assert "hunter2" not in problem.message


def test_a_file_of_credentials_that_cannot_be_read_is_named(
    google: FakeGoogle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_missing"
    assert problem.message == f"source production: google.auth.default: {tmp_path}: Is a directory"


def test_the_key_of_a_credential_in_awx_is_used(google: FakeGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(google)
    monkeypatch.setenv("GCP_SERVICE_ACCOUNT_FILE", os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    assert len(read(source_of(google))) == 2
    monkeypatch.setenv("GCP_SERVICE_ACCOUNT_FILE", "/nonexistent")
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_missing"
    assert problem.message.endswith("/nonexistent: No such file or directory")


def test_a_key_that_was_taken_back_is_refused(google: FakeGoogle) -> None:
    google.tokens.accounts.clear()
    problem = problem_of(source_of(google))
    assert problem.kind == "credentials_refused"
    assert "Invalid grant: account not found" in problem.message
    assert problem.remedy.startswith("Log in again, or renew the key")


# The way there


def test_a_proxy_and_its_authority_lead_to_googles_own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with google_before(monkeypatch, tmp_path, proxy=True) as google:
        fleet(google)
        assert len(read(source_of(google, endpoint=""))) == 2
        assert {(call.host, call.proxied) for call in google.asked} == {
            ("oauth2.googleapis.com", True),
            ("compute.googleapis.com", True),
        }
        private = "https://compute-fleet.p.googleapis.com"
        assert len(read(source_of(google, endpoint=private))) == 2
        assert google.calls()[-1].host == "compute-fleet.p.googleapis.com"


def test_a_certificate_of_an_unknown_authority_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with google_before(monkeypatch, tmp_path, proxy=True) as google:
        unknown = make_authority(tmp_path, "unknown")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(unknown.ca_file))
        problem = problem_of(source_of(google, endpoint=""))
        assert problem.kind == "certificate_bad"
        assert "CERTIFICATE_VERIFY_FAILED" in problem.message
        assert problem.remedy.startswith("Let REQUESTS_CA_BUNDLE name a file")

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
        problem = problem_of(source_of(google, endpoint=""))
        assert problem.kind == "certificate_bad"
        assert "missing.pem" in problem.message


def test_a_proxy_that_refuses_is_told_without_its_password(google: FakeGoogle, monkeypatch: pytest.MonkeyPatch) -> None:
    # The fake is no proxy here.
    monkeypatch.setenv("HTTPS_PROXY", google.url.replace("http://", "http://fleet:hunter2@"))
    problem = problem_of(source_of(google, endpoint="https://compute-fleet.p.googleapis.com"), seconds=2)
    assert problem.kind == "unreachable"
    assert "501" in problem.message
    assert "HTTPS_PROXY" in problem.remedy
    assert "hunter2" not in problem.message
