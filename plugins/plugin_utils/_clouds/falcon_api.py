# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API of CrowdStrike Falcon through falconpy, for one CID: tokens, answers, and what may be tried again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError, said
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline, Refusal, retrying
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact

if TYPE_CHECKING:
    from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_wire import Interface, Wire

_T = TypeVar("_T")

CLOUDS = {
    "us-1": "https://api.crowdstrike.com",
    "us-2": "https://api.us-2.crowdstrike.com",
    "us-3": "https://api.us-3.crowdstrike.com",
    "eu-1": "https://api.eu-1.crowdstrike.com",
    "us-gov-1": "https://api.laggar.gcw.crowdstrike.com",
    "us-gov-2": "https://api.us-gov-2.crowdstrike.mil",
}
"""The regions by the names that users give them."""

CLIENT_ID, CLIENT_SECRET, CLOUD, MEMBER_CID = (
    "FALCON_CLIENT_ID",
    "FALCON_CLIENT_SECRET",
    "FALCON_CLOUD",
    "FALCON_MEMBER_CID",
)
"""The environment variables of the official collection, and of falconpy."""

_TOKEN = "oauth2:oauth2AccessToken"  # noqa: S105
_MILLISECONDS = 1e11
"""An epoch above it is one of milliseconds: the API's description says so, and the API answers in seconds."""

_UNREACHED_ATTEMPTS = 3


@dataclass(frozen=True)
class Reach:
    """Where the API is and how to get there. Without ``cloud`` and ``base_url``, the token's answer says the region."""

    cloud: str = ""
    base_url: str = ""
    proxy: str = ""
    ca_file: str = ""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    @property
    def address(self) -> str:
        """The address to begin with."""
        return self.base_url or CLOUDS[self.cloud or "us-1"]


@dataclass(frozen=True)
class Credentials:
    """An API client, and the child CID that it shall act for."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    member_cid: str = ""


class _CallError(Exception):
    """A call that came to nothing, and whether it passes by itself."""

    def __init__(self, error: SourceError, *, passes: bool = False, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error, self.passes, self.after = error, passes, after


class FalconApi:
    """A client for one CID. Not for several threads at once."""

    def __init__(
        self,
        scope: Scope,
        reach: Reach,
        credentials: Credentials,
        deadline: Deadline,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connects to nothing. Raises SourceError of kind ``library_missing``."""
        self._scope, self._reach, self._credentials = scope, reach, credentials
        self._deadline, self._sleep = deadline, sleep
        self._unreached = 0
        self._wire, self._interface = self._speak()

    def service(self, name: str) -> Any:
        """falconpy's service class of that name (``Hosts``), with this client's token. Raises SourceError."""
        import falconpy

        # It would log in by itself, and tell nobody that this failed.
        self._tried(self._renew)
        return getattr(falconpy, name)(auth_object=self._interface)

    def ask(self, call: str, perform: Callable[[], Any], *, needs: str) -> Mapping[str, Any]:
        """The body of the answer to ``perform``, which calls a method of falconpy, tried again while that helps.

        ``call`` names it in messages (``hosts:CombinedDevicesByFilter``), ``needs`` is the scope that the API client
        must have for it. Raises SourceError; an answer with errors beside its content is ``answer_partial``.
        """

        def once() -> Mapping[str, Any]:
            renewed = self._renew()
            status, body = self._performed(call, perform)
            if status == 401 and not renewed:
                # Revoked, or expired by the clock of the service.
                self._log_in()
                status, body = self._performed(call, perform)
            return self._judged(call, status, body, needs)

        return self._tried(once)

    def refuse(self, call: str, what: str, *, kind: str, remedy: str) -> NoReturn:
        """Raise a SourceError about what the service said."""
        raise self._error(call, what, kind=kind, remedy=remedy)

    def _speak(self) -> tuple[Wire, Interface]:
        try:
            from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.falcon_wire import Interface, Wire
        except ImportError as problem:
            raise SourceError(
                self._scope,
                "import falconpy",
                said(problem),
                kind="library_missing",
                remedy="Run pip install -r requirements-falcon.txt of this collection on the controller.",
            ) from problem
        reach, credentials = self._reach, self._credentials
        wire = Wire(
            ca_file=reach.ca_file,
            connect_timeout=reach.connect_timeout,
            read_timeout=reach.read_timeout,
            deadline=self._deadline,
        )
        interface = Interface(
            client_id=credentials.client_id,
            client_secret=credentials.client_secret,
            member_cid=credentials.member_cid or None,
            base_url=reach.address,
            proxy={"http": reach.proxy, "https": reach.proxy} if reach.proxy else None,
            session=wire,
        )
        return wire, interface

    def _tried(self, once: Callable[[], _T]) -> _T:
        try:
            return retrying(once, _judge, self._deadline, sleep=self._sleep)
        except _CallError as trouble:
            raise trouble.error from None

    def _renew(self) -> bool:
        """Get a token where there is none that lasts a while; whether it is a new one."""
        if not self._interface.token_stale:
            return False
        self._log_in()
        return True

    def _log_in(self) -> None:
        status, body = self._performed(_TOKEN, self._interface.login)
        region = self._region()
        if region and not self._reach.base_url and CLOUDS[region] != self._interface.base_url:
            if self._reach.cloud:
                what = f"these credentials are of the region {region}, and not of {self._reach.cloud}"
                raise self._refused(what, f"Set cloud, or {CLOUD}, to {region}.")
            self._interface.move(CLOUDS[region])
            if 300 <= status < 400:
                status, body = self._performed(_TOKEN, self._interface.login)
        if status in (400, 401, 403):
            member = self._credentials.member_cid
            remedy = f"Check {CLIENT_ID} and {CLIENT_SECRET}, and from which addresses the API client may be used"
            child = f"; {member} must be a child CID of the API client's" if member else ""
            raise self._refused(self._said(status), f"{remedy}{child}.")
        self._judged(_TOKEN, status, body, "")
        if not self._interface.token_value:
            raise self._malformed(_TOKEN, "it has no token")

    def _region(self) -> str:
        """The region that the answer to a login names, of those that are known; empty for none."""
        answer = self._wire.answer
        region = "" if answer is None else str(answer.headers.get("X-Cs-Region", "")).lower()
        return region if region in CLOUDS else ""

    def _performed(self, call: str, perform: Callable[[], Any]) -> tuple[int, Any]:
        """Status and body of an answer, as they came. Raises _CallError when there was none."""
        self._wire.answer = self._wire.failure = None
        try:
            body = perform()["body"]
        except (LookupError, TypeError, ValueError, AttributeError):
            # falconpy takes some answers to a login for what they are not.
            body = None
        if self._wire.failure is not None:
            raise self._unreachable(call, self._wire.failure)
        if self._wire.answer is None:
            # falconpy itself refuses it, and says why.
            raise _CallError(self._error(call, _messages(body), kind="api_error", remedy="Please report this."))
        return self._wire.answer.status_code, body

    def _unreachable(self, call: str, problem: Exception) -> _CallError:
        import requests

        self._unreached += 1
        passes = self._unreached < _UNREACHED_ATTEMPTS
        address = self._interface.base_url
        reason = f"{address}: {_innermost(problem)}"
        if isinstance(problem, requests.exceptions.SSLError):
            remedy = "Set ca_file to the certificates of who signs for this address, which may be those of a proxy."
            return _CallError(self._error(call, reason, kind="certificate_bad", remedy=remedy))
        if isinstance(problem, requests.exceptions.Timeout):
            remedy = "Look at the network between here and there, or give it more time by read_timeout and timeout."
            return _CallError(self._error(call, reason, kind="timed_out", remedy=remedy), passes=passes)
        remedy = f"Open the way to {address} from the controller, set proxy, or correct cloud or base_url."
        return _CallError(self._error(call, reason, kind="unreachable", remedy=remedy), passes=passes)

    def _judged(self, call: str, status: int, body: Any, needs: str) -> Mapping[str, Any]:
        """The body of a good answer. Raises _CallError for every other."""
        if status == 429 or status >= 500:
            kind = "throttled" if status == 429 else "api_error"
            error = self._error(call, self._said(status), kind=kind, remedy="Run this again later, or raise timeout.")
            raise _CallError(error, passes=True, after=self._wanted_pause())
        if not 200 <= status < 300:
            kind, remedy = {
                401: ("credentials_refused", f"Check {CLIENT_ID} and {CLIENT_SECRET}."),
                403: ("access_denied", f"Give the API client the scope {needs} in the Falcon console."),
                404: ("not_found", "Correct base_url."),
            }.get(status, ("api_error", "Correct base_url, or what is asked for (filter)."))
            raise _CallError(self._error(call, self._said(status), kind=kind, remedy=remedy))
        self._unreached = 0
        if not isinstance(body, Mapping) or not ({"meta", "access_token"} & body.keys()):
            raise self._malformed(call, "it is no JSON object with meta")
        if body.get("errors"):
            remedy = "Run this again; what such an answer holds is not all there is, and is not used."
            raise _CallError(self._error(call, _messages(body), kind="answer_partial", remedy=remedy))
        return body

    def _said(self, status: int) -> str:
        """What the last answer says of its errors; falconpy has words of its own for those it does not understand."""
        try:
            reasons = _messages(self._wire.answer.json()) if self._wire.answer is not None else ""
        except ValueError:
            reasons = ""
        return f"status {status}: {reasons}" if reasons else f"status {status}"

    def _refused(self, what: str, remedy: str) -> _CallError:
        return _CallError(self._error(_TOKEN, what, kind="credentials_refused", remedy=remedy))

    def _malformed(self, call: str, what: str) -> _CallError:
        remedy = "Look at base_url and at proxies on the way: this is not how the Falcon API answers."
        return _CallError(self._error(call, f"not understood: {what}", kind="answer_malformed", remedy=remedy))

    def _wanted_pause(self) -> float | None:
        """The seconds after which the service wants to be asked again; None when it does not say."""
        answer = self._wire.answer
        headers: Mapping[str, str] = {} if answer is None else answer.headers
        try:
            if "X-RateLimit-RetryAfter" in headers:
                moment = float(headers["X-RateLimit-RetryAfter"])
                return (moment / 1000 if moment > _MILLISECONDS else moment) - time.time()
            return float(headers["Retry-After"])
        except (KeyError, ValueError):
            return None

    def _error(self, call: str, what: str, *, kind: str, remedy: str) -> SourceError:
        own = self._credentials
        secrets = [own.client_id, own.client_secret, str(self._interface.token_value or "")]
        return SourceError(self._scope, call, said(redact(what, secrets)), kind=kind, remedy=remedy)


def _messages(body: Any) -> str:
    """The messages of the errors in an answer."""
    errors = body.get("errors") if isinstance(body, Mapping) else None
    if not isinstance(errors, list):
        return ""
    return "; ".join(str(each.get("message", each)) if isinstance(each, Mapping) else str(each) for each in errors)


def _judge(problem: Exception) -> Refusal | None:
    if isinstance(problem, _CallError) and problem.passes:
        return Refusal(problem, problem.after)
    return None


def _innermost(problem: BaseException) -> str:
    """The reason below the layers of the libraries, whose own texts hold addresses of objects."""
    while inner := problem.__cause__ or problem.__context__:
        problem = inner
    return str(problem) or type(problem).__name__


def credentials_from_environment(scope: Scope, member_cid: str) -> Credentials:
    """The credentials that the environment has. Raises SourceError of kind ``credentials_missing``."""
    missing = [name for name in (CLIENT_ID, CLIENT_SECRET) if not os.environ.get(name)]
    if missing:
        raise SourceError(
            scope,
            _TOKEN,
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set",
            kind="credentials_missing",
            remedy="Set them in the environment of whoever runs this (in AWX, by a credential type of its own).",
        )
    return Credentials(os.environ[CLIENT_ID], os.environ[CLIENT_SECRET], member_cid)
