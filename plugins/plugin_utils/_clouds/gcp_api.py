# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Google's APIs as one account calls them: its credentials, the way there, one policy of trying again.

The libraries are loaded where they are called, for who reads no Google Cloud need not have them.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.gcp_errors import explained, judge, malformed
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline, retrying

_T = TypeVar("_T")
_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
# A single answer takes no longer, however much time there is for all.
_LONGEST_SECONDS = 60.0

# What the libraries warn of is among our problems. It goes to a log, if there is one, and not between our lines.
for _library in ("google", "googleapiclient"):
    logging.getLogger(_library).addHandler(logging.NullHandler())


class Google:
    """Google's APIs with the default credentials. Threads may share it: each has connections of its own."""

    def __init__(self, scope: Scope, access: Sequence[str], impersonate: str, deadline: Deadline) -> None:
        """Get a token for the OAuth scopes ``access``, for the service account ``impersonate`` unless that is empty.

        Raises SourceError. What stands against the credentials is so said once, and not for every project.
        """
        from google.auth.transport.requests import Request

        def sign_in() -> Any:
            credentials = _credentials(access, impersonate)
            credentials.refresh(partial(Request(), timeout=_limit(deadline)))
            return credentials

        self._credentials = _asked(sign_in, scope, "google.auth.default", deadline)
        self._of_thread = threading.local()

    def service(self, name: str, version: str, base: str = "") -> Any:
        """An API, by the document of it that comes with the library; ``base`` is its address, if another one."""
        from googleapiclient import discovery

        options = {"api_endpoint": base} if base else None
        http = _Transport(self._credentials)
        return discovery.build(
            name, version, http=http, client_options=options, static_discovery=True, cache_discovery=False
        )

    def pages(
        self, method: Callable[..., Any], scope: Scope, deadline: Deadline, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """The pages that a method of a service lists. Raises SourceError, after some pages perhaps."""
        seen = set()
        while True:
            request = method(**parameters)
            if not deadline.left:
                what, remedy = "the time was up before all was read", "Give it more time (timeout)."
                raise SourceError(scope, request.methodId, what, kind="timed_out", remedy=remedy)
            execute = partial(request.execute, http=self._transport(deadline))
            page = _asked(execute, scope, request.methodId, deadline)
            # The library passes on as it is what is no JSON.
            if not isinstance(page, dict):
                raise malformed("no JSON object", scope, request.methodId)
            yield page
            following = str(page.get("nextPageToken") or "")
            if not following:
                return
            if following in seen:
                raise malformed("the pages lead back to one that was read", scope, request.methodId)
            seen.add(following)
            parameters["pageToken"] = following

    def _transport(self, deadline: Deadline) -> _Transport:
        """That of this thread: to be connected again for each project would cost more than to read it."""
        transport: _Transport | None = getattr(self._of_thread, "transport", None)
        if transport is None:
            transport = self._of_thread.transport = _Transport(self._credentials)
        transport.deadline = deadline
        return transport


class _Transport:
    """How the library sends its requests: by the session of google-auth.

    The library's own way is httplib2, which leaves HTTPS_PROXY aside without a word where PySocks is missing, has a
    variable of its own for certificate authorities, and one time limit for all requests.
    """

    deadline: Deadline

    def __init__(self, credentials: Any) -> None:
        from google.auth.transport.requests import AuthorizedSession

        # The library looks here for whose universe they are.
        self.credentials = credentials
        self._session = AuthorizedSession(credentials)

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[Any, bytes]:
        """An answer in the form that the library knows from httplib2, and its body."""
        import httplib2

        # No API redirects; a portal does, to where the token must not go.
        answer = self._session.request(
            method, uri, data=body, headers=headers, timeout=_limit(self.deadline), allow_redirects=False
        )
        response = httplib2.Response({**answer.headers, "status": str(answer.status_code)})
        response.reason = answer.reason
        return response, answer.content


def _credentials(access: Sequence[str], impersonate: str) -> Any:
    """Application Default Credentials, or the key that AWX hands over as google.cloud has it."""
    import google.auth
    from google.auth import impersonated_credentials
    from google.oauth2 import service_account

    own_access = [_PLATFORM] if impersonate else access
    key = os.environ.get("GCP_SERVICE_ACCOUNT_FILE")
    if key and "GOOGLE_APPLICATION_CREDENTIALS" not in os.environ:
        credentials = service_account.Credentials.from_service_account_file(key, scopes=own_access)
    else:
        credentials, _project = google.auth.default(scopes=own_access)
    return impersonated_credentials.Credentials(credentials, impersonate, access) if impersonate else credentials


def _asked(call: Callable[[], _T], scope: Scope, name: str, deadline: Deadline) -> _T:
    """What a call returns, tried again while that helps. Raises SourceError."""
    try:
        return retrying(call, judge, deadline)
    except Exception as problem:
        error = explained(problem, scope, name)
        if error is None:
            raise
        # It is not chained: a traceback would show all that came from the token endpoint.
        raise error from None


def _limit(deadline: Deadline) -> float:
    return max(0.1, min(_LONGEST_SECONDS, deadline.left))
