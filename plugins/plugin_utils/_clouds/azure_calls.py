# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listings of Azure Resource Manager, with one policy for trying again and one kind of problem.

They are asked for through the pipeline, the authentication and the credentials of Azure's own libraries, but without
the clients of azure-mgmt-compute and azure-mgmt-network: those load tens of megabytes to make objects of every field,
differ from version to version, and register what a subscription has not registered, which an inventory must not do.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import decoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure_errors import (
    NOT_REGISTERED,
    OTHER_ERRORS,
    TOKEN,
    UNAUTHORIZED,
    MalformedError,
    RefusedError,
    explained,
    judge,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline, Refusal, retrying

# Whoever reads a subscription has found out before that the libraries are there.
with suppress(ImportError):
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import UserAgentPolicy
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
# A token is not used in its last minutes, for it must outlast what is asked with it.
_SPARE_SECONDS = 300


@dataclass(frozen=True)
class Who:
    """Who asks: the tenant's id or domain, which identity of several, and the URL of who issues tokens.

    What is empty is what the environment says, or else what the credentials have.
    """

    tenant: str
    client_id: str
    authority: str


class _Credential:
    """A token that all threads share, from whoever of the default chain has one.

    The chain's own members ask again for it now and then, some by starting a program, which is why it is kept here.
    """

    def __init__(self, who: Who) -> None:
        self._tenant = who.tenant or None
        self._options: dict[str, Any] = {
            "additionally_allowed_tenants": [who.tenant] if who.tenant else [],
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": CONNECT_SECONDS,
            # They try again by themselves, for minutes if they may.
            "retry_total": 2,
        }
        if who.client_id:
            self._options |= {f"{kind}_identity_client_id": who.client_id for kind in ("managed", "workload")}
        if who.authority:
            # Nobody but who wrote it need vouch for it: who could be asked is of the public cloud.
            self._options |= {"authority": who.authority, "disable_instance_discovery": True}
        self._chain: DefaultAzureCredential | None = None
        self._token: AccessToken | None = None
        self._lock = Lock()

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **options: Any,
    ) -> AccessToken:
        """The token, a new one where it is due or a challenge has claims; all are of one scope and tenant."""
        with self._lock:
            if self._token is None or claims or self._token.expires_on - _SPARE_SECONDS < time.time():
                self._chain = self._chain or DefaultAzureCredential(**self._options)
                self._token = self._chain.get_token(
                    *scopes, claims=claims, tenant_id=tenant_id or self._tenant, enable_cae=enable_cae, **options
                )
            return self._token

    def forget(self) -> None:
        """Let go of a token that was refused, and of who has it in a cache."""
        with self._lock:
            self._chain = self._token = None


class ResourceManager:
    """The resource manager of a cloud. It may be used by any thread.

    ``endpoint`` is its URL without a path, ``audience`` what tokens are for.
    """

    def __init__(self, endpoint: str, audience: str, who: Who) -> None:
        # Without a handler, Python prints the warnings of libraries, and a chain of credentials warns in pages.
        logger = logging.getLogger("azure")
        if not logger.hasHandlers():
            logger.addHandler(logging.NullHandler())
        self._endpoint = endpoint
        self._scope = f"{audience}/.default"
        self._credential = _Credential(who)
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            endpoint,
            policies=[
                UserAgentPolicy("bankops.fleet"),
                ARMChallengeAuthenticationPolicy(self._credential, self._scope),
            ],
        )

    def authenticate(self, scope: Scope) -> None:
        """Have a token before anything is asked, so that its lack is said once. Raises SourceError."""
        with _explaining(scope, TOKEN):
            self._credential.get_token(self._scope)

    def listing(
        self, path: str, version: str, call: str, scope: Scope, deadline: Deadline, **query: str
    ) -> Iterator[dict[str, Any]]:
        """The entries of a listing, page by page.

        ``version`` is that of the API, ``call`` the action that whoever asks must be allowed. Raises SourceError, after
        some entries perhaps.
        """
        url, parameters = f"{self._endpoint}{path}", {"api-version": version, **query}
        seen: set[str] = set()
        while url:
            if not deadline.left:
                what, remedy = "the time was up before all was read", "Give it more time (timeout)."
                raise SourceError(scope, call, what, kind="timed_out", remedy=remedy)
            seen.add(url)
            request = HttpRequest("GET", url, params=parameters)
            with _explaining(scope, call):
                page = self._page(request, deadline, is_first=len(seen) == 1)
            yield from page["value"]
            with _explaining(scope, call):
                url = self._following(page, seen)
            # A link to the next page has all that it needs.
            parameters = {}

    def _page(self, request: HttpRequest, deadline: Deadline, *, is_first: bool) -> dict[str, Any]:
        renewed = False

        def once() -> bytes:
            response = self._client.send_request(
                request,
                connection_timeout=max(0.1, min(CONNECT_SECONDS, deadline.left)),
                read_timeout=max(0.1, min(READ_SECONDS, deadline.left)),
            )
            if response.status_code != 200:
                raise RefusedError(response.status_code, response.headers, response.content)
            return response.content

        def may_pass(problem: Exception) -> Refusal | None:
            nonlocal renewed
            if isinstance(problem, RefusedError) and problem.status == UNAUTHORIZED and not renewed:
                # It may have ended, or been revoked, while it was thought to be good.
                renewed = True
                self._credential.forget()
                return Refusal(problem)
            return judge(problem)

        try:
            return _page_of(retrying(once, may_pass, deadline))
        except RefusedError as problem:
            # Nothing can be made in a subscription before its provider is registered, nor the provider be taken away
            # while there is something.
            if is_first and problem.code == NOT_REGISTERED:
                return {"value": []}
            raise

    def _following(self, page: dict[str, Any], seen: set[str]) -> str:
        """The link to the next page, empty after the last. Nobody but the endpoint is sent the token."""
        link = page.get("nextLink") or ""
        if not isinstance(link, str):
            raise MalformedError("the link to the next page is no text")
        if link and _place(link) != _place(self._endpoint):
            raise MalformedError("the link to the next page leads elsewhere, where no token is taken")
        if link in seen:
            raise MalformedError("the pages lead back to one that was read")
        return link


def _page_of(content: bytes) -> dict[str, Any]:
    try:
        page = decoded(content)
    except ValueError:
        raise MalformedError("the answer is no JSON") from None
    entries = page.get("value") if isinstance(page, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MalformedError("the answer is no page of a listing")
    return dict(page)


def _place(url: str) -> tuple[str, str] | None:
    """Host and port of a URL; Azure's own links name the port that goes without saying.

    None for what is not plainly a URL of HTTPS: what is before a backslash or an at sign is a host to some, not to all.
    """
    found = re.fullmatch(r"https://([A-Za-z0-9.-]+)(?::(\d+))?(?:[/?].*)?", url)
    return (found.group(1).lower(), found.group(2) or "443") if found else None


@contextmanager
def _explaining(scope: Scope, call: str) -> Iterator[None]:
    try:
        yield
    except (AzureError, *OTHER_ERRORS) as problem:
        # What the libraries say may hold more than belongs into a log.
        raise explained(problem, scope, call) from None
