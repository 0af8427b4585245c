# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API and the issuer of tokens answer. Texts of errors are those that clients in use have met."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible_collections.bankops.fleet.tests.fakes.clouds.azure import documents
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import Answer, Azure, ScaleSet, Subscription
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.table import SKIP, Operation

Query = Mapping[str, str]
_RESOURCE_OWNER = "client '5e1d7c30' with object id '9b2f1d4c'"


def token(azure: Azure, tenant: str, form: Query) -> Answer:
    """Answer to a principal that asks for a token."""
    # An audience may end in a slash of its own.
    wanted = {f"{azure.audience}/.default", f"{azure.audience}//.default"}
    if tenant not in azure.tenants:
        return _no_token(400, "invalid_request", 90002, f"Tenant '{tenant}' not found. Check to make sure you have it.")
    if form.get("client_id") != azure.principal.client_id:
        return _no_token(400, "unauthorized_client", 700016, f"Application with identifier '{form}' was not found.")
    if form.get("scope", "").split()[0] not in wanted:
        return _no_token(400, "invalid_scope", 70011, f"The scope is not valid: {form['scope']}")
    if form.get("client_assertion", azure.principal.assertion) != azure.principal.assertion:
        return _no_token(401, "invalid_client", 700213, "No matching federated identity record found.")
    if "client_assertion" not in form and form.get("client_secret") != azure.principal.secret:
        words = "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value"
        return _no_token(401, "invalid_client", 7000215, words)
    way = "assertion" if "client_assertion" in form else "secret"
    claims = json.loads(form.get("claims", "{}"))
    given = azure.issue(f"{way} with claims" if claims.get("access_token", {}).get("nbf") else way)
    return Answer(200, {"token_type": "Bearer", "expires_in": azure.lifetime, "access_token": given})


def machine_token(azure: Azure, query: Query, headers: Mapping[str, str]) -> Answer:
    """Answer of the metadata service to a machine that has an identity."""
    if headers.get("Metadata", "").lower() != "true" or query.get("resource") != azure.audience:
        return Answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
    ends = str(int(time.time()) + azure.lifetime)
    given = azure.issue("machine")
    return Answer(
        200,
        {"access_token": given, "expires_in": str(azure.lifetime), "expires_on": ends, "token_type": "Bearer"},
    )


def authority(base: str, tenant: str) -> Answer:
    """What clients read about who issues tokens."""
    issuer = f"{base}/{tenant}"
    return Answer(
        200,
        {
            "issuer": f"{issuer}/v2.0",
            "authorization_endpoint": f"{issuer}/oauth2/v2.0/authorize",
            "token_endpoint": f"{issuer}/oauth2/v2.0/token",
        },
    )


def discovery(base: str) -> Answer:
    """What clients read who want to know whether an issuer is one of Azure's."""
    return Answer(
        200, {"tenant_discovery_endpoint": f"{base}/common/v2.0/.well-known/openid-configuration", "metadata": []}
    )


def unauthorized(azure: Azure, authorization: str) -> Answer | None:
    """The answer for who has no good token; None for who has."""
    ends = azure.tokens.get(authorization.removeprefix("Bearer "))
    if ends is None:
        return _error(401, "InvalidAuthenticationToken", "The access token is invalid.", _challenge("invalid_token"))
    if ends <= time.time():
        return expired()
    return None


def expired() -> Answer:
    """The answer for a token that has ended."""
    words = "The access token expiry UTC time is earlier than current UTC time."
    return _error(401, "ExpiredAuthenticationToken", words, _challenge("invalid_token"))


def challenged() -> Answer:
    """The answer for a token that must be renewed with claims: access was taken back while it was good."""
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1764450000"}}}').decode()
    words = "Continuous access evaluation resulted in challenge."
    return _error(401, "TokenIssuedBeforeRevocationTimestamp", words, _challenge("insufficient_claims", claims))


def listing(azure: Azure, asked: Operation, path: Query, query: Query, url: str) -> Answer:
    """A page of a listing; ``url`` is what was asked for, without its query."""
    if asked.name == "subscriptions_list":
        visible = (each for each in azure.subscriptions if each.allows(asked.action))
        return _page(azure, (documents.subscription(each) for each in visible), query, url)
    its = azure.subscription(path["subscription_id"])
    if its is None:
        words = f"The subscription '{path['subscription_id']}' could not be found."
        return _error(404, "SubscriptionNotFound", words)
    if asked.name == "permissions_list" and not its.only_group and its.allows(asked.action):
        permission = {"actions": sorted(its.actions), "notActions": sorted(its.not_actions)}
        # A second role of the same principal.
        return _page(azure, [{"actions": ["Microsoft.Storage/*"], "notActions": []}, permission], query, url)
    if not its.allows(asked.action) or its.only_group:
        if asked.name != "permissions_list" and not azure.says_forbidden:
            seen = _of_group(azure, asked, its, query) if its.allows(asked.action) else ()
            return _page(azure, seen, query, url)
        words = (
            f"The {_RESOURCE_OWNER} does not have authorization to perform action '{asked.action}' over scope"
            f" '/subscriptions/{its.id}' or the scope is invalid. If access was recently granted, please refresh your"
            " credentials."
        )
        return _error(403, "AuthorizationFailed", words)
    if not its.registered:
        words = "The subscription is not registered to use namespace 'Microsoft.Compute'."
        return _error(409, "MissingSubscriptionRegistration", words)
    if "virtual_machine_scale_set_name" not in path:
        return _page(azure, _of_subscription(azure, asked, its, query), query, url)
    scale_set = next((each for each in its.scale_sets if each.name == path["virtual_machine_scale_set_name"]), None)
    if scale_set is None or scale_set.flexible:
        return _error(404, "ResourceNotFound", f"The Resource '{url}' under resource group was not found.")
    return _page(azure, _of_scale_set(asked, its, scale_set, query), query, url)


def _of_group(azure: Azure, asked: Operation, its: Subscription, query: Query) -> Iterable[Any]:
    """What somebody sees of a subscription whose role is assigned on a resource group."""
    part = f"/resourcegroups/{its.only_group}/".lower()
    return (entry for entry in _of_subscription(azure, asked, its, query) if part in entry["id"].lower())


def _of_subscription(azure: Azure, asked: Operation, its: Subscription, query: Query) -> Iterable[Any]:
    if asked.name == "virtual_machines_list_all":
        if query.get("statusOnly") == "true":
            return documents.statuses(its, with_agents=azure.tells_agents)
        return documents.virtual_machines(its)
    return {
        "virtual_machine_scale_sets_list_all": documents.scale_sets,
        "network_interfaces_list_all": documents.interfaces,
        "public_ip_addresses_list_all": documents.public_addresses,
    }[asked.name](its)


def _of_scale_set(asked: Operation, its: Subscription, scale_set: ScaleSet, query: Query) -> Iterable[Any]:
    if asked.name == "virtual_machine_scale_set_vms_list":
        return documents.instances(its, scale_set, with_view="$expand" in query)
    if asked.name.startswith("network_interfaces"):
        return documents.interfaces_of(its, scale_set)
    return documents.public_addresses_of(its, scale_set)


def _page(azure: Azure, entries: Iterable[Any], query: Query, url: str) -> Answer:
    start = int(query.get(SKIP, "0"))
    found = list(islice(entries, start, start + azure.page + 1))
    body: dict[str, Any] = {"value": found[: azure.page]}
    if len(found) > azure.page:
        following = {**query, SKIP: str(start + azure.page)}
        azure.links.add(link_of(urlsplit(url).path, following))
        body["nextLink"] = f"{url}?{urlencode(following)}"
    return Answer(200, body)


def link_of(path: str, query: Query) -> str:
    """A path and a query as one text, however the query was written."""
    return f"{path}?{urlencode(sorted(query.items()))}"


def _challenge(error: str, claims: str = "") -> dict[str, str]:
    told = f', claims="{claims}"' if claims else ""
    realm = 'Bearer authorization_uri="https://login.microsoftonline.com/", '
    return {"WWW-Authenticate": f'{realm}error="{error}", error_description="renew it"{told}'}


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}}, headers or {})


def _no_token(status: int, error: str, code: int, words: str) -> Answer:
    described = f"AADSTS{code}: {words}. Trace ID: {secrets.token_hex(8)} Correlation ID: {secrets.token_hex(8)}"
    return Answer(status, {"error": error, "error_description": described, "error_codes": [code]})
