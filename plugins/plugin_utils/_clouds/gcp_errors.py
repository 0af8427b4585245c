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
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Refusal

PAGE = "docs/inventory/gcp.md"

_THROTTLED = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RATE_LIMIT_EXCEEDED"}
_DISABLED = {"accessNotConfigured", "SERVICE_DISABLED"}

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
class _Meaning:
    """What an exception of the libraries means."""

    kind: str
    remedy: str
    passes: bool = False
    """Whether it may be gone the next time."""
    words: str = ""
    """For the library's own, which say less, or the whole answer."""


_WAY = "the network, a proxy (HTTPS_PROXY) or a private endpoint (endpoint) leads there"
_NO_CREDENTIALS = _Meaning(
    "credentials_missing",
    "Run gcloud auth application-default login, let GOOGLE_APPLICATION_CREDENTIALS name a file, or run it where a"
    f" service account is attached ({PAGE}).",
)
_BAD_CERTIFICATE = _Meaning(
    "certificate_bad",
    "Let REQUESTS_CA_BUNDLE name a file with the certificate of the authority that signed the server's.",
)
_NO_WAY = _Meaning("unreachable", f"See that the name resolves and that {_WAY}.", passes=True)
_SILENT = _Meaning(
    "timed_out", f"See that {_WAY}; or give it more time (timeout).", passes=True, words="no answer in time"
)
_MALFORMED = _Meaning(
    "answer_malformed",
    "See that it is Google that answers, and no proxy, portal or wrong address in endpoint.",
    words="the answer is malformed",
)
_ELSE = _Meaning("api_error", f"Look at the options of the source and at the credentials ({PAGE}).")
# By the names of the classes, so that who reads no Google Cloud need not have the libraries; the first of an
# exception's family. They are those of google-auth, requests, and Python itself.
_LIBRARIES = {
    "DefaultCredentialsError": _NO_CREDENTIALS,
    "RefreshError": _Meaning("credentials_refused", f"Log in again, or renew the key or federation ({PAGE})."),
    "SSLError": _BAD_CERTIFICATE,
    "ProxyError": _Meaning(
        "unreachable", "Look at HTTPS_PROXY and NO_PROXY, and whether the proxy runs and lets it through.", passes=True
    ),
    "ConnectTimeout": _SILENT,
    "Timeout": _SILENT,
    "ConnectionError": _NO_WAY,
    "ChunkedEncodingError": _NO_WAY,
    "TransportError": _Meaning("unreachable", _NO_WAY.remedy),
    "ContentDecodingError": _MALFORMED,
    "UnicodeDecodeError": _MALFORMED,
    "GoogleAuthError": _ELSE,
    "OSError": _ELSE,
    "ValueError": _ELSE,
}


@dataclass(frozen=True)
class _Answer:
    """What the body of an error says, in the older form (``errors``) or the newer one (``details``)."""

    status: int
    message: str
    reasons: frozenset[str]

    @classmethod
    def of(cls, problem: Any) -> _Answer:
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
    if _is_refusal(cause):
        answer = _Answer.of(cause)
        if answer.status == 429 or answer.status >= 500 or answer.reasons & _THROTTLED:
            return Refusal(problem, _wanted(cause.resp.get("retry-after", "")))
        return None
    meaning = _meaning(cause)
    # google-auth says itself what it would try again.
    return Refusal(problem) if (meaning and meaning.passes) or getattr(cause, "retryable", False) else None


def explained(problem: Exception, scope: Scope, call: str) -> SourceError | None:
    """The same problem, with what must be done about it; None when neither Google nor its libraries have it."""
    cause = _cause(problem)
    if _is_refusal(cause):
        return _refused(_Answer.of(cause), scope, call)
    meaning = _meaning(cause)
    if meaning is None:
        return None
    return SourceError(scope, call, meaning.words or _words(cause), kind=meaning.kind, remedy=meaning.remedy)


def malformed(what: str, scope: Scope, call: str) -> SourceError:
    """An answer that came, and is not what the API is documented to say."""
    what = f"{_MALFORMED.words}: {said(what)}"
    return SourceError(scope, call, what, kind=_MALFORMED.kind, remedy=_MALFORMED.remedy)


def is_disabled(problem: SourceError) -> bool:
    """Whether a call was refused because the project does not use the API."""
    return not _DISABLED.isdisjoint(problem.data.get("reasons", ()))


def _meaning(problem: BaseException) -> _Meaning | None:
    if isinstance(problem, OSError):
        if problem.filename:
            return _NO_CREDENTIALS
        if "CA certificate" in str(problem):
            return _BAD_CERTIFICATE
    family = (each.__name__ for each in type(problem).__mro__)
    return next((_LIBRARIES[name] for name in family if name in _LIBRARIES), None)


def _is_refusal(problem: BaseException) -> bool:
    return type(problem).__name__ == "HttpError"


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
    error = SourceError(scope, call, f"{answer.status} {said(answer.message)}{named}", kind=kind, remedy=remedy)
    error.data["reasons"] = sorted(answer.reasons)
    return error


def _cause(problem: BaseException) -> Any:
    """What stands behind the error in which google-auth wraps those of the network."""
    wrapped = problem.args[0] if type(problem).__name__ == "TransportError" and problem.args else None
    return wrapped if isinstance(wrapped, Exception) else problem


def _words(problem: BaseException) -> str:
    """What the libraries say. Of an answer of the token endpoint, which may stand beside it, only a message."""
    inner = said(_innermost(problem))
    outer = said(getattr(problem, "filename", None) or (problem.args[0] if problem.args else inner))
    if _meaning(problem) is _NO_CREDENTIALS:
        return outer if outer == inner else f"{outer}: {inner}"
    try:
        return f"{outer}: {said(json.loads(problem.args[1])['error']['message'])}"
    except (IndexError, KeyError, TypeError, ValueError):
        return inner


def _innermost(problem: BaseException) -> object:
    """What an error of the network says by itself: those around it repeat addresses and how often it was tried."""
    for inside in (getattr(problem, "reason", None), *reversed(problem.args)):
        if isinstance(inside, BaseException):
            return _innermost(inside)
    return getattr(problem, "strerror", None) or (problem.args[0] if problem.args else type(problem).__name__)


def _wanted(text: str) -> float | None:
    """The seconds after which the service wants to be asked again: a number, or a date (RFC 9110)."""
    if text.isdigit():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds()
    except (TypeError, ValueError):
        return None
