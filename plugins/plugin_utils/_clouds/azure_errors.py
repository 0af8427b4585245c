# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Azure and its libraries refuse: what passes by itself, and what somebody must do about the rest.

The codes are those of learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors, and
of the answers that the issues of Azure's own libraries quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Refusal

# Whoever reads a subscription has found out before that the library is there.
with suppress(ImportError):
    from azure.core.exceptions import (
        ClientAuthenticationError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    _CUT = (ServiceResponseError, IncompleteReadError)

PAGE = "docs/inventory/azure.md"
TOKEN = "the token of Azure"  # noqa: S105 - how a message names the call
UNAUTHORIZED = 401
NOT_REGISTERED = "MissingSubscriptionRegistration"
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_LOOK = "See who you are to Azure with the command az account show."
# Code, kind and remedy; the first whose expression is the code. {call} and {account} are filled in.
_CODES: tuple[tuple[str, str, str], ...] = (
    (
        "AuthorizationFailed|LinkedAuthorizationFailed|AuthorizationPermissionMismatch",
        "access_denied",
        "Assign a role with the action {call} to who asks, on the subscription or a management group above it ({page});"
        " a new assignment takes some minutes to hold.",
    ),
    (
        "InvalidAuthenticationTokenTenant",
        "credentials_refused",
        "The subscription belongs to another tenant: give it a source of its own, with that tenant.",
    ),
    (
        "InvalidAuthenticationTokenAudience",
        "credentials_refused",
        "Let audience name what this resource manager takes tokens for.",
    ),
    (
        "ExpiredAuthenticationToken|InvalidAuthenticationToken|AuthenticationFailed",
        "credentials_refused",
        f"A new token was refused as well: log in again, and compare the controller's clock with the time. {_LOOK}",
    ),
    (
        "SubscriptionNotFound|InvalidSubscriptionId",
        "not_found",
        "Compare {account} with the ids that az account list shows; one of another tenant needs a source with that"
        " tenant.",
    ),
    (
        "ResourceNotFound|ParentResourceNotFound",
        "not_found",
        "It was taken away while the subscription was read: run it again.",
    ),
    (
        "NoRegisteredProviderFound|InvalidApiVersionParameter|InvalidResourceType|InvalidResourceNamespace",
        "api_error",
        "This cloud does not know the version of the API that is asked for ({page}).",
    ),
)


class RefusedError(Exception):
    """An answer other than the one that was asked for: its status, its code and message, when to come again."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.code, self.words = _error_of(body)
        after = headers.get("Retry-After", "")
        self.after = float(after) if re.fullmatch(r"\d{1,6}", after) else None


class MalformedError(Exception):
    """An answer that is not what Azure is documented to say."""


# A file of certificates that is not there is an OSError, and a claim of a challenge that is none a ValueError.
OTHER_ERRORS = (RefusedError, MalformedError, OSError, ValueError)


def judge(problem: Exception) -> Refusal | None:
    """Whether a call may be tried again: it was throttled, the service or the network failed, or an answer was cut."""
    if isinstance(problem, RefusedError):
        return Refusal(problem, problem.after) if problem.status in _PASSING else None
    passing = isinstance(problem, (ServiceRequestError, *_CUT)) and not _distrusted(problem)
    return Refusal(problem) if passing else None


def explained(problem: Exception, scope: Scope, call: str) -> SourceError:
    """The same problem, with what must be done about it."""
    if isinstance(problem, RefusedError):
        return _refused(problem, scope, call)
    if isinstance(problem, MalformedError):
        remedy = "See that it is Azure that answers, and no proxy, portal or wrong endpoint."
        return SourceError(scope, call, str(problem), kind="answer_malformed", remedy=remedy)
    if isinstance(problem, ClientAuthenticationError):
        return _without_token(problem, scope)
    kind, what, remedy = _of_network(problem)
    return SourceError(scope, call, what, kind=kind, remedy=remedy)


def _refused(problem: RefusedError, scope: Scope, call: str) -> SourceError:
    code = problem.code or f"status {problem.status}"
    what = f"{code}: {problem.words}" if problem.words else code
    kind, remedy = "api_error", "See what the code means in Azure's documentation."
    if problem.status == 429:
        kind = "throttled"
        remedy = f"Others ask too: run it later, give it more time (timeout), or name fewer subscriptions ({PAGE})."
    elif problem.status in _PASSING:
        remedy = "The service fails: see Azure's status page, and run it later."
    elif 300 <= problem.status < 400:
        what, remedy = f"{code}: sent elsewhere, where no token is taken", "Correct endpoint: Azure redirects nobody."
    else:
        for codes, its_kind, its_remedy in _CODES:
            if re.fullmatch(codes, problem.code):
                kind, remedy = its_kind, its_remedy
                break
        else:
            if problem.status in {UNAUTHORIZED, 403}:
                kind, remedy = "access_denied", f"See what is allowed to who asks ({PAGE}). {_LOOK}"
    for name, value in (("call", call), ("account", scope.account or "the subscription"), ("page", PAGE)):
        remedy = remedy.replace(f"{{{name}}}", value)
    return SourceError(scope, call, what, kind=kind, remedy=remedy)


def _without_token(problem: ClientAuthenticationError, scope: Scope) -> SourceError:
    """Why there is no token. The chain of credentials tells pages; what counts is who was refused, and by which code.

    A credential that cannot even try says so and the next has its turn; the one that tries and fails is the last.
    """
    text = str(problem.message)
    tried = re.findall(r"^\s*(\w+Credential): (.*)", text, re.MULTILINE)
    last, words = tried[-1] if tried else ("", text)
    refused = re.search(r"AADSTS\d+:[^.\r\n]*", text)
    remedy = f"See that the name resolves and that the network or a proxy (HTTPS_PROXY) leads there ({PAGE})."
    if refused:
        what, kind = f"{last}: {said(refused.group())}", "credentials_refused"
        remedy = "Correct the credentials or the tenant; login.microsoftonline.com/error explains the code."
    elif "CERTIFICATE_VERIFY_FAILED" in words:
        what, kind, remedy = f"{last}: {said(_reason(words))}", "certificate_bad", _TRUST
    elif re.search(r"Max retries exceeded|Connection|timed out|Failed to resolve", words):
        what, kind = f"{last}: {said(_reason(words))}", "unreachable"
    elif len(tried) > 1 or not tried:
        names = ", ".join(dict.fromkeys(name for name, _why in tried)) or "the default credentials"
        what, kind = f"nobody has credentials (tried {names})", "credentials_missing"
        remedy = f"Provide them by the environment, a workload or managed identity, or az login ({PAGE})."
    else:
        what, kind = f"{last}: {said(words)}", "credentials_missing"
        remedy = f"Mend this credential, or let AZURE_TOKEN_CREDENTIALS choose another ({PAGE})."
    return SourceError(scope, TOKEN, what, kind=kind, remedy=remedy)


_TRUST = "Let REQUESTS_CA_BUNDLE name a file with the certificate of the authority that signed the server's."


def _of_network(problem: Exception) -> tuple[str, str, str]:
    """Kind, words and remedy of what did not come through."""
    what = said(_reason(str(problem)))
    if _distrusted(problem):
        return "certificate_bad", what, _TRUST
    if isinstance(problem, OSError):
        return "certificate_bad", what, "Let REQUESTS_CA_BUNDLE name a readable file with certificates."
    # Older versions of the library have no exceptions of their own for this.
    if "timed out" in str(problem):
        remedy = "See that the network, a proxy (HTTPS_PROXY) or a private endpoint leads there; or give it more time"
        return "timed_out", "no answer in time", f"{remedy} (timeout)."
    if "ProxyError" in str(problem) or type(getattr(problem, "inner_exception", None)).__name__ == "ProxyError":
        return "unreachable", f"the proxy: {what}", "Look at HTTPS_PROXY and NO_PROXY, and whether the proxy runs."
    if isinstance(problem, _CUT):
        return "answer_partial", f"the answer was cut: {what}", "See what breaks connections on the way to Azure."
    if isinstance(problem, ServiceRequestError):
        remedy = "See that the name resolves and that the network, a proxy (HTTPS_PROXY) or endpoint leads there."
        return "unreachable", what, remedy
    return "api_error", f"{type(problem).__name__}: {what}", f"Look at the options of the source ({PAGE})."


def _distrusted(problem: Exception) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(problem)


def _reason(text: str) -> str:
    """The last of the causes that a connection's message nests, without addresses of objects and paths."""
    found = re.search(r"Caused by (\w+)\((.*)\)\)", text)
    if not found:
        return text
    words = re.sub(r"^.*?(?:object at 0x[0-9a-f]+>|HTTPSConnection\([^)]*\)): |[\"']", "", found.group(2))
    return words or found.group(1)


def _error_of(body: bytes) -> tuple[str, str]:
    """Code and message of an answer that is an error; empty where it says none, as a proxy's page does."""
    try:
        error = decoded(body)["error"]
        return said(error["code"]), said(error.get("message", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", ""
