# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS and its library refuse: what passes by itself, and what somebody must do about the rest.

The codes are those of docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and of the errors that STS,
Systems Manager and Organizations have in common.
"""

from __future__ import annotations

import re

from botocore import exceptions
from botocore.parsers import ResponseParserError

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Refusal

PAGE = "docs/inventory/aws.md"

# InvalidEndpoint and the like are plain ValueErrors.
LIBRARY_ERRORS = (exceptions.BotoCoreError, exceptions.ClientError, ResponseParserError, ValueError)

_UNREACHABLE = (exceptions.EndpointConnectionError, exceptions.ConnectionClosedError, exceptions.ProxyConnectionError)
_TIMED_OUT = (exceptions.ConnectTimeoutError, exceptions.ReadTimeoutError)
_NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.ConfigNotFound,
    exceptions.ConfigParseError,
    exceptions.InvalidConfigError,
    exceptions.InfiniteLoopConfigError,
)
_NOT_RETRIEVED = (
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)

_THROTTLED = re.compile(
    "Throttl|RequestLimitExceeded|RequestThrottled|TooManyRequests|SlowDown|BandwidthLimitExceeded|EC2Throttled"
)
_LOOK = "See who you are to AWS with the command aws sts get-caller-identity."

# Code, kind and remedy; the first whose expression begins the code. {call}, {region} and {account} are filled in.
_CODES: tuple[tuple[str, str, str], ...] = (
    (
        "ExpiredToken",
        "credentials_refused",
        "The session of the credentials is over: log in again, or renew what issued them.",
    ),
    (
        "RequestExpired|SignatureDoesNotMatch|InvalidSignature|IncompleteSignature|RequestTimeTooSkewed",
        "credentials_refused",
        "Compare the clock of the controller with the time, and the secret key with the one that AWS issued.",
    ),
    (
        "InvalidClientTokenId|UnrecognizedClient|AuthFailure|MissingAuthenticationToken|InvalidAccessKeyId",
        "credentials_refused",
        "AWS does not know the access key, or {region} is not enabled in the account: enable the region or leave it"
        f" out of regions, or renew the key. {_LOOK}",
    ),
    (
        "OptInRequired|RegionDisabled|SubscriptionRequired|Blocked|PendingVerification",
        "access_denied",
        "The account is not enabled for the service or the region {region}: enable it, or leave the region out of"
        " regions.",
    ),
    (
        "UnauthorizedOperation|AccessDenied|UnauthorizedAccess|NotAuthorized|40[13]$",
        "access_denied",
        f"Allow {{call}} in the policies of who asks, and see that no service control policy denies it ({PAGE}).",
    ),
    (
        "AWSOrganizationsNotInUse",
        "not_found",
        "The account that asks is in no organization: use credentials of the management account or of a delegated"
        " administrator, or list accounts.",
    ),
    (
        "InvalidParameter|InvalidFilter|FilterLimitExceeded|UnknownParameter|ValidationException|ValidationError",
        "api_error",
        "Compare filters with what the documentation of DescribeInstances knows.",
    ),
)


def judge(problem: Exception) -> Refusal | None:
    """Whether a call may be tried again: it was throttled, the service or the network failed, or an answer was cut."""
    if isinstance(problem, (*_UNREACHABLE, *_TIMED_OUT, ResponseParserError)):
        return Refusal(problem)
    if isinstance(problem, exceptions.ClientError):
        metadata = problem.response.get("ResponseMetadata", {})
        status = metadata.get("HTTPStatusCode", 0)
        if _THROTTLED.match(_code(problem)) or status == 429 or status >= 500:
            return Refusal(problem, _wanted(metadata.get("HTTPHeaders", {})))
    return None


def explained(problem: Exception, scope: Scope, call: str) -> SourceError:
    """The same problem, with what must be done about it."""
    if isinstance(problem, exceptions.ClientError):
        return _refused(problem, scope, call)
    kind, remedy, what = _of_library(problem)
    return SourceError(scope, call, what or said(problem), kind=kind, remedy=remedy)


def _of_library(problem: Exception) -> tuple[str, str, str]:
    """Kind and remedy of what the library says by itself, and the words for it where its own do not fit."""
    if isinstance(problem, _NO_CREDENTIALS):
        kind, remedy = "credentials_missing", f"Provide credentials or name an existing profile ({PAGE}). {_LOOK}"
        return kind, remedy, ""
    if isinstance(problem, _NOT_RETRIEVED):
        # What a helper program printed may be a secret, so only the library's own words are passed on.
        by = problem.kwargs.get("provider", type(problem).__name__)
        what = f"the credentials could not be had ({said(by)})"
        return "credentials_missing", f"Log in again, with aws sso login for example. {_LOOK}", what
    if isinstance(problem, exceptions.SSLError):
        remedy = "Let AWS_CA_BUNDLE name a file with the certificate of the authority that signed the server's."
        return "certificate_bad", remedy, ""
    if isinstance(problem, exceptions.ProxyConnectionError):
        return "unreachable", "Look at HTTPS_PROXY and NO_PROXY, and whether the proxy runs.", ""
    if isinstance(problem, _TIMED_OUT):
        remedy = "See that the network, a proxy (HTTPS_PROXY) or a private endpoint (endpoints) leads there; or give it"
        return "timed_out", f"{remedy} more time (timeout).", ""
    if isinstance(problem, (*_UNREACHABLE, exceptions.InvalidRegionError, exceptions.EndpointVariantError)):
        remedy = "See that the name resolves and that the network, a proxy (HTTPS_PROXY) or a private endpoint"
        return "unreachable", f"{remedy} (endpoints) leads there.", ""
    if isinstance(problem, ResponseParserError):
        # The library's own message holds the whole answer.
        remedy = "See that it is AWS that answers, and no proxy, portal or wrong address in endpoints."
        return "answer_malformed", remedy, "the answer is not what the service is documented to say"
    if isinstance(problem, exceptions.HTTPClientError) and isinstance(problem.kwargs.get("error"), OSError):
        return "certificate_bad", "Let AWS_CA_BUNDLE name a readable file with certificates.", said(problem)
    return (
        "api_error",
        f"Look at the options of the source and the configuration of AWS on the controller ({PAGE}).",
        "",
    )


def _refused(problem: exceptions.ClientError, scope: Scope, call: str) -> SourceError:
    code = _code(problem)
    # EC2 appends some hundred characters that only the account's administrators can decode.
    message = re.sub(
        r"\s*Encoded authorization failure message:.*", "", str(problem.response["Error"].get("Message", ""))
    )
    # A profile may assume a role by itself, in the middle of another call.
    if problem.operation_name.startswith("AssumeRole"):
        call = f"sts:{problem.operation_name}"
    what = f"{said(code)}: {said(message)}" if message else said(code)
    status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind, remedy = "api_error", "See what the code means in the service's documentation."
    if _THROTTLED.match(code) or status == 429:
        kind = "throttled"
        remedy = f"Others ask too: run it later, give it more time (timeout), or name fewer regions ({PAGE})."
    elif status >= 500:
        remedy = "The service fails: see the AWS Health Dashboard, and run it later."
    else:
        for codes, its_kind, its_remedy in _CODES:
            if re.match(codes, code):
                kind, remedy = its_kind, its_remedy
                break
    if kind == "access_denied" and call == "sts:AssumeRole":
        remedy += " The role must be there, and its trust policy must name who asks, and the external_id."
    for name, value in (("call", call), ("region", scope.region or "the region"), ("account", scope.account)):
        remedy = remedy.replace(f"{{{name}}}", value)
    return SourceError(scope, call, what, kind=kind, remedy=remedy)


def _code(problem: exceptions.ClientError) -> str:
    # Some services say Client.Code, some namespace#Code.
    return re.split(r"[.#]", str(problem.response.get("Error", {}).get("Code", "")))[-1] or "no code"


def _wanted(headers: dict[str, str]) -> float | None:
    """The seconds after which the service wants to be asked again."""
    for name, seconds in (("retry-after", 1.0), ("x-amz-retry-after", 0.001)):
        if re.fullmatch(r"\d{1,6}", headers.get(name, "")):
            return int(headers[name]) * seconds
    return None
