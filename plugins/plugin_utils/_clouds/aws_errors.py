# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS and its library refuse: what passes by itself, and what somebody must do about the rest.

The codes are those of docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and of the errors that STS,
Systems Manager and Organizations have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Refusal

PAGE = "docs/inventory/aws.md"
_LOOK = "See who you are to AWS with the command aws sts get-caller-identity."


class MalformedError(Exception):
    """An answer without what its service is documented to say."""


@dataclass(frozen=True)
class Meaning:
    """What an exception of the library means."""

    kind: str
    remedy: str
    passes: bool = False
    """Whether it may be gone the next time."""
    words: str = ""
    """For the library's own, where these may hold secrets or a whole answer; ``{by}`` is who failed."""


_NO_CREDENTIALS = Meaning("credentials_missing", f"Provide credentials or name an existing profile ({PAGE}). {_LOOK}")
_NOT_RETRIEVED = Meaning(
    "credentials_missing",
    f"Log in again, with aws sso login for example. {_LOOK}",
    words="the credentials could not be had ({by})",
)
_WAY = "the network, a proxy (HTTPS_PROXY) or a private endpoint (endpoints) leads there"
_NO_WAY = Meaning("unreachable", f"See that the name resolves and that {_WAY}.", passes=True)
_SILENT = Meaning("timed_out", f"See that {_WAY}; or give it more time (timeout).", passes=True)
_MALFORMED = Meaning(
    "answer_malformed",
    "See that it is AWS that answers, and no proxy, portal or wrong address in endpoints.",
    passes=True,
    words="the answer is not what the service is documented to say",
)
# By the names of the classes, so that who reads no AWS need not have the library; the first of an exception's family.
LIBRARY = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "ProfileNotFound": _NO_CREDENTIALS,
    "ConfigNotFound": _NO_CREDENTIALS,
    "ConfigParseError": _NO_CREDENTIALS,
    "InvalidConfigError": _NO_CREDENTIALS,
    "CredentialRetrievalError": _NOT_RETRIEVED,
    "MetadataRetrievalError": _NOT_RETRIEVED,
    "TokenRetrievalError": _NOT_RETRIEVED,
    "SSOError": _NOT_RETRIEVED,
    "SSLError": Meaning(
        "certificate_bad",
        "Let AWS_CA_BUNDLE name a file with the certificate of the authority that signed the server's.",
    ),
    "ProxyConnectionError": Meaning(
        "unreachable", "Look at HTTPS_PROXY and NO_PROXY, and whether the proxy runs.", passes=True
    ),
    "ConnectTimeoutError": _SILENT,
    "ReadTimeoutError": _SILENT,
    "EndpointConnectionError": _NO_WAY,
    "ConnectionClosedError": _NO_WAY,
    "InvalidRegionError": _NO_WAY,
    "ResponseParserError": _MALFORMED,
    "BotoCoreError": Meaning(
        "api_error", f"Look at the options of the source and the configuration of AWS on the controller ({PAGE})."
    ),
}
_UNREADABLE_BUNDLE = Meaning("certificate_bad", "Let AWS_CA_BUNDLE name a readable file with certificates.")

_THROTTLED = re.compile(
    "Throttl|RequestLimitExceeded|RequestThrottled|TooManyRequests|SlowDown|BandwidthLimitExceeded|EC2Throttled"
)

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
    if _is_refusal(problem):
        metadata = problem.response.get("ResponseMetadata", {})  # type: ignore[attr-defined]
        status = metadata.get("HTTPStatusCode", 0)
        if _THROTTLED.match(_code(problem)) or status == 429 or status >= 500:
            return Refusal(problem, _wanted(metadata.get("HTTPHeaders", {})))
        return None
    meaning = _meaning(problem)
    return Refusal(problem) if meaning and meaning.passes else None


def explained(problem: Exception, scope: Scope, call: str) -> SourceError | None:
    """The same problem, with what must be done about it; None when neither AWS nor its library has it."""
    if _is_refusal(problem):
        return _refused(problem, scope, call)
    meaning = _meaning(problem)
    if meaning is None:
        return None
    by = getattr(problem, "kwargs", {}).get("provider", type(problem).__name__)
    what = meaning.words.replace("{by}", said(by)) or said(problem)
    return SourceError(scope, call, what, kind=meaning.kind, remedy=meaning.remedy)


def _meaning(problem: Exception) -> Meaning | None:
    if isinstance(problem, MalformedError):
        return _MALFORMED
    if isinstance(problem, ValueError):
        # Such are addresses in the environment that are none, and numbers in an answer that are none.
        return LIBRARY["BotoCoreError"]
    family = [each.__name__ for each in type(problem).__mro__ if each.__module__.partition(".")[0] == "botocore"]
    if "HTTPClientError" in family and isinstance(getattr(problem, "kwargs", {}).get("error"), OSError):
        return _UNREADABLE_BUNDLE
    return next((LIBRARY[name] for name in family if name in LIBRARY), None)


def _is_refusal(problem: Exception) -> bool:
    return any(each.__name__ == "ClientError" for each in type(problem).__mro__)


def _refused(problem: Any, scope: Scope, call: str) -> SourceError:
    code = _code(problem)
    # EC2 appends some hundred characters that only the account's administrators can decode.
    message = re.sub(
        r"\s*Encoded authorization failure message:.*", "", str(problem.response.get("Error", {}).get("Message", ""))
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


def _code(problem: Any) -> str:
    # Some services say Client.Code, some namespace#Code.
    return re.split(r"[.#]", str(problem.response.get("Error", {}).get("Code", "")))[-1] or "no code"


def _wanted(headers: dict[str, str]) -> float | None:
    """The seconds after which the service wants to be asked again."""
    for name, seconds in (("retry-after", 1.0), ("x-amz-retry-after", 0.001)):
        if re.fullmatch(r"\d{1,6}", headers.get(name, "")):
            return int(headers[name]) * seconds
    return None
