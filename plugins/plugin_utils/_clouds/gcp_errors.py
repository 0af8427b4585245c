# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Google and its libraries refuse: what passes by itself, and what somebody must do about the rest.

The reasons are those of cloud.google.com/compute/docs/troubleshooting/troubleshooting-api and of google.rpc.ErrorInfo,
which the newer APIs add (cloud.google.com/apis/design/errors).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from google.auth import exceptions as auth
from googleapiclient.errors import HttpError
from requests import exceptions as http

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Refusal

PAGE = "docs/inventory/gcp.md"

# A bundle of certificates that is not there is a plain OSError, JSON that is none and addresses that are none are
# plain ValueErrors.
LIBRARY_ERRORS = (HttpError, auth.GoogleAuthError, http.RequestException, OSError, ValueError)

_THROTTLED = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"}
_DISABLED = {"accessNotConfigured", "SERVICE_DISABLED"}
_NOT_GOOGLE = "See that it is Google that answers, and no proxy, portal or wrong address in endpoint."
_WHO = "See who you are to Google with the command gcloud auth application-default print-access-token."

# Reasons, kind and remedy; the first of which one is given. {call}, {api} and {account} are filled in.
_REASONS: tuple[tuple[set[str], str, str], ...] = (
    (_THROTTLED, "throttled", "Others ask too: run it later, give it more time (timeout), or raise the quota."),
    (
        _DISABLED,
        "access_denied",
        "Enable the API with the command gcloud services enable {api} --project={account}, or leave the project out.",
    ),
    (
        {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"},
        "access_denied",
        f"Give the virtual machine or the login the access scope cloud-platform; roles decide the rest ({PAGE}).",
    ),
    (
        {"vpcServiceControls", "SECURITY_POLICY_VIOLATED"},
        "access_denied",
        "Let the ingress rules of the service perimeter admit the controller, or run it inside the perimeter.",
    ),
)
_STATUSES: dict[int, tuple[str, str]] = {
    400: ("api_error", "Compare filter with what the documentation of {call} knows."),
    401: ("credentials_refused", "Log in again, or renew the key or federation that the credentials come from."),
    403: ("access_denied", f"Grant the account of the credentials the role that {PAGE} describes, on {{account}}."),
    404: ("not_found", "See that {account} exists and is spelt right: gcloud projects list."),
    429: _REASONS[0][1:],
}


@dataclass(frozen=True)
class _Answer:
    """What the body of an error says, in the older form (``errors``) or the newer one (``details``)."""

    status: int
    message: str
    reasons: frozenset[str]

    @classmethod
    def of(cls, problem: HttpError) -> _Answer:
        try:
            error = json.loads(problem.content)["error"]
            entries = [*error.get("errors", ()), *error.get("details", ())]
            reasons = frozenset(str(entry["reason"]) for entry in entries if "reason" in entry)
            return cls(problem.resp.status, str(error["message"]), reasons)
        except (AttributeError, KeyError, TypeError, ValueError):
            # A proxy or a load balancer answers with a page.
            return cls(problem.resp.status, str(problem.resp.reason), frozenset())


def judge(problem: Exception) -> Refusal | None:
    """Whether a call may be tried again: it was throttled, the service or the network failed, or an answer was cut."""
    cause = _cause(problem)
    if isinstance(cause, HttpError):
        answer = _Answer.of(cause)
        if answer.status == 429 or answer.status >= 500 or answer.reasons & _THROTTLED:
            return Refusal(problem, _wanted(cause.resp.get("retry-after", "")))
    elif isinstance(cause, auth.RefreshError):
        return Refusal(problem) if cause.retryable else None
    elif isinstance(cause, (http.ConnectionError, http.Timeout, http.ChunkedEncodingError)):
        return None if isinstance(cause, http.SSLError) else Refusal(problem)
    return None


def explained(problem: Exception, scope: Scope, call: str) -> SourceError:
    """The same problem, with what must be done about it."""
    cause = _cause(problem)
    if isinstance(cause, HttpError):
        return _refused(_Answer.of(cause), scope, call)
    kind, remedy, what = _of_library(cause)
    return SourceError(scope, call, what or said(_innermost(cause)), kind=kind, remedy=remedy)


def malformed(what: str, scope: Scope, call: str) -> SourceError:
    """An answer that came, and is not what the API is documented to say."""
    what = f"the answer is malformed: {said(what)}"
    return SourceError(scope, call, what, kind="answer_malformed", remedy=_NOT_GOOGLE)


def is_disabled(problem: Exception) -> bool:
    """Whether a call was refused because the project does not use the API."""
    return isinstance(problem, HttpError) and bool(_Answer.of(problem).reasons & _DISABLED)


def _refused(answer: _Answer, scope: Scope, call: str) -> SourceError:
    kind, remedy = "api_error", f"See what it means in Google's documentation of {call}."
    if answer.status >= 500:
        remedy = "The service fails: see status.cloud.google.com, and run it later."
    kind, remedy = _STATUSES.get(answer.status, (kind, remedy))
    for reasons, its_kind, its_remedy in _REASONS:
        if answer.reasons & reasons:
            kind, remedy = its_kind, its_remedy
            break
    api = f"{call.partition('.')[0]}.googleapis.com"
    for name, value in (("call", call), ("api", api), ("account", scope.account or "what is asked")):
        remedy = remedy.replace(f"{{{name}}}", value)
    named = f" ({', '.join(sorted(map(said, answer.reasons)))})" if answer.reasons else ""
    return SourceError(scope, call, f"{answer.status} {said(answer.message)}{named}", kind=kind, remedy=remedy)


def _of_library(problem: BaseException) -> tuple[str, str, str]:
    """Kind and remedy of what the libraries say by themselves, and the words for it where their own do not fit."""
    if isinstance(problem, auth.DefaultCredentialsError) or (isinstance(problem, OSError) and problem.filename):
        remedy = "Run gcloud auth application-default login, let GOOGLE_APPLICATION_CREDENTIALS name a file, or run it"
        inner = _innermost(problem)
        about = problem.filename if isinstance(problem, OSError) else problem.args[0]
        what = said(about) + (f": {said(inner)}" if inner != about else "")
        return "credentials_missing", f"{remedy} where a service account is attached ({PAGE}).", what
    if isinstance(problem, auth.RefreshError):
        return "credentials_refused", f"Log in again, or renew the key or federation ({PAGE}). {_WHO}", _told(problem)
    if isinstance(problem, http.SSLError) or (isinstance(problem, OSError) and "CA certificate" in str(problem)):
        remedy = "Let REQUESTS_CA_BUNDLE name a file with the certificate of the authority that signed the server's."
        return "certificate_bad", remedy, ""
    if isinstance(problem, http.ProxyError):
        return "unreachable", "Look at HTTPS_PROXY and NO_PROXY, and whether the proxy runs and lets it through.", ""
    if isinstance(problem, http.Timeout):
        remedy = "See that the network, a proxy (HTTPS_PROXY) or a private endpoint (endpoint) leads there; or give it"
        return "timed_out", f"{remedy} more time (timeout).", "no answer in time"
    if isinstance(problem, (http.ContentDecodingError, json.JSONDecodeError, UnicodeDecodeError)):
        return "answer_malformed", _NOT_GOOGLE, "the answer is malformed"
    if isinstance(problem, (http.ConnectionError, http.ChunkedEncodingError, auth.TransportError)):
        remedy = "See that the name resolves and that the network, a proxy (HTTPS_PROXY) or a private endpoint"
        return "unreachable", f"{remedy} (endpoint) leads there.", ""
    return "api_error", f"Look at the options of the source and at the credentials ({PAGE}).", ""


def _cause(problem: BaseException) -> BaseException:
    """What stands behind the error in which google-auth wraps those of the network."""
    wrapped = problem.args[0] if isinstance(problem, auth.TransportError) and problem.args else None
    return wrapped if isinstance(wrapped, Exception) else problem


def _innermost(problem: BaseException) -> object:
    """What an error of the network says by itself: those around it repeat addresses and how often it was tried."""
    for inside in (getattr(problem, "reason", None), *reversed(problem.args)):
        if isinstance(inside, BaseException):
            return _innermost(inside)
    return getattr(problem, "strerror", None) or (problem.args[0] if problem.args else type(problem).__name__)


def _told(problem: auth.RefreshError) -> str:
    """What the token endpoint said. The answer as a whole stands beside it and is not shown: it might hold a token."""
    words = said(problem.args[0]) if problem.args else "no token was issued"
    try:
        return f"{words}: {said(json.loads(problem.args[1])['error']['message'])}"
    except (IndexError, KeyError, TypeError, ValueError):
        return words


def _wanted(text: str) -> float | None:
    """The seconds after which the service wants to be asked again: a number, or a date (RFC 9110)."""
    if text.isdigit():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return None
