# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with AWS, and what is said of it: account, region, call and remedy."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("botocore")
pytest.importorskip("werkzeug")

import botocore.exceptions
import botocore.parsers

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds import retries
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_errors import LIBRARY
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import ScopesError, SourceError
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.front import HOST, Fault, Front, serving, throttled
from ansible_collections.bankops.fleet.tests.fakes.clouds.aws.recorded import OWN, Node, Recorded, fleet
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.aws_sources import (
    SERVICES,
    aws_before,
    clean_environment,
    read,
    source,
)

REGION = "eu-central-1"
HERE = f"source production, {OWN}, {REGION}: ec2:DescribeInstances: "


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts are short."""
    monkeypatch.setattr(retries, "FIRST_SECONDS", 0.001)


@pytest.fixture
def recorded() -> Recorded:
    """An AWS with two and a half pages of instances."""
    return Recorded(instances={(OWN, REGION): list(fleet(5))}, most=2)


@pytest.fixture
def aws(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """It, behind its front."""
    with aws_before(recorded, monkeypatch) as front:
        yield front


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server((HOST, 0)) as found:
        return f"{HOST}:{found.getsockname()[1]}"


def problem_of(reading: Callable[[], object]) -> SourceError:
    """The one problem that comes up."""
    try:
        reading()
    except SourceError as problem:
        return problem
    except ScopesError as problems:
        (only,) = problems.problems
        return only
    raise AssertionError("nothing went wrong")


def test_what_is_throttled_is_asked_again(aws: Front) -> None:
    aws.faults += [
        throttled(2),
        throttled(1, after=1, headers={"Retry-After": "0"}),
        Fault("ec2:DescribeInstances", code="InternalError", status=500),
        Fault("ec2:DescribeInstances", resets=True, after=1),
        Fault("ec2:DescribeInstances", change=lambda body: body[: len(body) // 2]),
        Fault("sts:GetCallerIdentity", code="Throttling"),
    ]

    assert len(read(source(aws, regions=REGION))) == 5
    assert not [fault for fault in aws.faults if fault.times]


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"x-amz-retry-after": "1000"}])
def test_the_time_that_the_service_wants_is_waited(aws: Front, headers: dict[str, str]) -> None:
    aws.faults.append(throttled(1, headers=headers))
    began = time.monotonic()

    read(source(aws, regions=REGION))

    assert time.monotonic() - began >= 1


def test_who_is_throttled_to_the_end_is_told_so(aws: Front) -> None:
    aws.faults.append(throttled(float("inf"), after=1))

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.kind == "throttled"
    assert problem.message == f"{HERE}RequestLimitExceeded: as the test wants it"
    assert "run it later" in problem.remedy
    assert aws.count("ec2:DescribeInstances") == 1 + retries.ATTEMPTS


def test_a_service_that_fails_to_the_end_is_named(aws: Front) -> None:
    aws.faults.append(Fault("ec2:DescribeInstances", code="Unavailable", status=503, times=float("inf")))

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.kind == "api_error"
    assert "AWS Health Dashboard" in problem.remedy


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("ExpiredToken", "credentials_refused", "log in again"),
        ("ExpiredTokenException", "credentials_refused", "log in again"),
        ("RequestExpired", "credentials_refused", "clock"),
        ("InvalidClientTokenId", "credentials_refused", f"{REGION} is not enabled in the account"),
        ("AuthFailure", "credentials_refused", "aws sts get-caller-identity"),
        ("SignatureDoesNotMatch", "credentials_refused", "secret key"),
        ("OptInRequired", "access_denied", f"region {REGION}: enable it, or leave the region out of regions"),
        ("UnauthorizedOperation", "access_denied", "Allow ec2:DescribeInstances in the policies"),
        ("Client.UnauthorizedOperation", "access_denied", "Allow ec2:DescribeInstances"),
        ("AccessDenied", "access_denied", "Allow ec2:DescribeInstances"),
        ("InvalidParameterValue", "api_error", "Compare filters"),
        ("SomethingNew", "api_error", "See what the code means"),
    ],
)
def test_a_refusal_is_not_tried_again_and_says_what_to_do(aws: Front, code: str, kind: str, remedy: str) -> None:
    aws.faults.append(Fault("ec2:DescribeInstances", code=code, message="no\nway"))

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.kind == kind
    assert problem.message == f"{HERE}{code.rpartition('.')[2]}: no way"
    assert remedy in problem.remedy
    assert "{" not in problem.remedy
    assert problem.data == {
        "source": "production",
        "account": OWN,
        "region": REGION,
        "call": "ec2:DescribeInstances",
    }
    assert aws.count("ec2:DescribeInstances") == 1


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_the_other_protocol_s_errors_are_understood_too(aws: Front, code: str) -> None:
    aws.faults.append(Fault("ssm:DescribeInstanceInformation", code=code, times=float("inf")))

    problem = problem_of(lambda: read(source(aws, regions=REGION, ssm=True)))

    assert problem.kind == {"A": "access_denied", "T": "throttled"}[code[0]]
    assert problem.message.startswith(f"source production, {OWN}, {REGION}: ssm:DescribeInstanceInformation: {code}")


def test_who_is_in_no_organization_is_told_so(aws: Front) -> None:
    aws.faults.append(Fault("organizations:ListAccounts", code="AWSOrganizationsNotInUseException"))

    problem = problem_of(lambda: read(source(aws, organization={"role": "reader"})))

    assert problem.kind == "not_found"
    assert "management account" in problem.remedy


def test_what_only_administrators_can_decode_is_left_out(aws: Front) -> None:
    message = "You are not authorized to do this. Encoded authorization failure message: " + "x" * 900
    aws.faults.append(Fault("ec2:DescribeInstances", code="UnauthorizedOperation", message=message, status=403))

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.message == f"{HERE}UnauthorizedOperation: You are not authorized to do this"


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"<html><body>Please log in</body></html>",
        lambda body: body.replace(b"instanceId>", b"other>"),
        lambda body: body[:500],
        lambda _: b"\x00\xff",
        lambda _: b"",
    ],
    ids=["another page", "no ids", "cut", "no text", "nothing"],
)
def test_an_answer_that_is_none_is_no_empty_region(aws: Front, change: Callable[[bytes], bytes]) -> None:
    aws.faults.append(Fault("ec2:DescribeInstances", change=change, times=float("inf")))

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.kind == "answer_malformed"
    assert problem.message == f"{HERE}the answer is not what the service is documented to say"


def test_a_list_that_is_cut_is_no_list_of_nobody(aws: Front, recorded: Recorded) -> None:
    recorded.nodes[OWN, REGION] = [Node("i-1")]
    aws.faults.append(
        Fault("ssm:DescribeInstanceInformation", change=lambda body: body[:20], times=float("inf")),
    )

    assert problem_of(lambda: read(source(aws, regions=REGION, ssm=True))).kind == "answer_malformed"


def test_a_page_that_names_itself_as_the_next_ends(aws: Front) -> None:
    def same(body: bytes) -> bytes:
        return body.replace(b"<nextToken>4<", b"<nextToken>2<")

    aws.faults.append(Fault("ec2:DescribeInstances", change=same, times=float("inf")))

    assert problem_of(lambda: read(source(aws, regions=REGION))).kind == "answer_partial"


def test_a_service_that_hangs_is_not_waited_for_beyond_the_deadline(aws: Front) -> None:
    aws.faults.append(Fault("ec2:DescribeInstances", hangs=True, after=1, times=float("inf")))
    began = time.monotonic()

    problem = problem_of(lambda: read(source(aws, regions=REGION), seconds=1))

    assert problem.kind == "timed_out"
    assert time.monotonic() - began < 3
    assert "timeout" in problem.remedy


def test_nothing_is_asked_after_the_deadline(aws: Front) -> None:
    problem = problem_of(lambda: read(source(aws, regions=REGION), seconds=0))

    assert problem.kind == "timed_out"
    assert not aws.calls


def test_without_credentials_it_is_said_where_they_come_from(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    clean_environment(monkeypatch)

    problem = problem_of(lambda: read(source(aws, regions=REGION)))

    assert problem.kind == "credentials_missing"
    assert problem.message == "source production: sts:GetCallerIdentity: Unable to locate credentials"
    assert "docs/inventory/aws.md" in problem.remedy


@pytest.mark.parametrize(
    ("profile", "configuration", "kind", "what"),
    [
        ("nowhere", "", "credentials_missing", "The config profile (nowhere) could not be found"),
        ("half", "[profile half]\naws_access_key_id = A\n", "credentials_missing", "missing: aws_secret_access_key"),
        ("broken", "no section", "credentials_missing", "Unable to parse config file"),
        (
            "helper",
            '[profile helper]\ncredential_process = sh -c "echo hush >&2; exit 3"\n',
            "credentials_missing",
            "the credentials could not be had (custom-process)",
        ),
        (
            "sso",
            "[profile sso]\nsso_start_url = https://sso.example.org\nsso_region = eu-central-1\n"
            f"sso_account_id = {OWN}\nsso_role_name = reader\n",
            "credentials_missing",
            "the credentials could not be had (SSOTokenLoadError)",
        ),
    ],
)
def test_profiles_that_do_not_work(
    aws: Front,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    configuration: str,
    kind: str,
    what: str,
) -> None:
    (tmp_path / "config").write_text(configuration)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    problem = problem_of(lambda: read(source(aws, regions=REGION, profile=profile)))

    assert problem.kind == kind
    assert what in problem.message
    assert "hush" not in problem.message


def test_a_role_that_a_profile_assumes_by_itself_is_named(
    aws: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(
        f"[profile deep]\nrole_arn = arn:aws:iam::{OWN}:role/other\nregion = {REGION}\n"
        "credential_source = Environment\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    aws.faults.append(Fault("sts:AssumeRole", code="AccessDenied", status=403))

    problem = problem_of(lambda: read(source(aws, regions=REGION, profile="deep")))

    assert problem.message == "source production, profile deep: sts:AssumeRole: AccessDenied: as the test wants it"


def test_an_endpoint_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    url = f"http://{nobody}"

    problem = problem_of(lambda: read(source(None, regions=REGION, endpoints=dict.fromkeys(SERVICES, url))))

    assert problem.kind == "unreachable"
    assert url in problem.message


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch, nobody: str) -> None:
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:hush@{nobody}")

    problem = problem_of(lambda: read(source(None, regions=REGION)))

    assert problem.kind == "unreachable"
    assert "HTTPS_PROXY" in problem.remedy
    assert "hush" not in problem.message


@pytest.mark.parametrize("bundle", ["", "other-ca.pem", "missing.pem", "no-certificate.pem"])
def test_certificates_that_nobody_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    make_authority(tmp_path, "other")
    (tmp_path / "no-certificate.pem").write_text("nothing")
    if bundle:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / bundle))

    with serving(Front(Recorded()), make_authority(tmp_path, "aws").context) as front:
        problem = problem_of(lambda: read(source(front, regions=REGION)))

    assert problem.kind == "certificate_bad"
    assert "AWS_CA_BUNDLE" in problem.remedy


def test_a_private_authority_is_trusted_as_the_library_s_users_expect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    clean_environment(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S")
    authority = make_authority(tmp_path, "aws")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.ca_file))

    with serving(Front(recorded), authority.context) as front:
        assert len(read(source(front, regions=REGION))) == 5


def test_every_exception_that_has_a_meaning_is_one_of_the_library() -> None:
    for name in LIBRARY:
        assert hasattr(botocore.exceptions, name) or hasattr(botocore.parsers, name), name


def test_an_address_in_the_environment_that_is_none(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp:/x")

    problem = problem_of(lambda: read(source(None, regions=REGION)))

    assert problem.kind == "api_error"
    assert problem.message == "source production: sts: the client: Invalid endpoint: ftp:/x"


def test_what_nobody_foresaw_stays_as_it_is(aws: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(botocore.parsers.EC2QueryParser, "parse", broken)

    with pytest.raises(ZeroDivisionError):
        read(source(aws, regions=REGION))


def test_no_secret_is_in_what_a_source_shows_of_itself(aws: Front) -> None:
    found = source(aws, accounts=[{"id": OWN, "role": "reader"}], regions=REGION)
    read(found)

    shown = repr(vars(found))
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in shown
    assert "SecretAccessKey" not in shown
    assert "'token'" not in shown
