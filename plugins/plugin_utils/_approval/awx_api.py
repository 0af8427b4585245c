# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading from AWX's REST API: with TLS verified, with patience, and with every answer taken for data."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

TOKEN_VARIABLES = ("CONTROLLER_OAUTH_TOKEN", "TOWER_OAUTH_TOKEN")
_SECONDS = 30.0
_TRIES = 5
_LONGEST_PAUSE = 20.0
_MOST_BYTES = 16 * 1024 * 1024
_MOST_PAGES = 100
_BUSY = frozenset({429, 500, 502, 503, 504})


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the token to another server."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class AwxApi:
    """An AWX, as whoever owns the token may read it."""

    def __init__(
        self, url: str, token: str, *, ca_file: str | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._url, self._token, self._sleep = url.rstrip("/"), token, sleep
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except OSError as problem:
            raise unknown(f"{ca_file} cannot be read: {problem}", "Correct patch_approval_awx.ca_file.") from problem
        self._opener = build_opener(HTTPSHandler(context=context), _NoRedirect())

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at ``path``. Raises FleetError of kind ``approval_unknown`` when it cannot be had."""
        attempt = 1
        while True:
            try:
                return self._get_once(path)
            except HTTPError as problem:
                if problem.code not in _BUSY or attempt == _TRIES:
                    what = f"{self._url}{path} answered {problem.code} {problem.reason}"
                    raise unknown(
                        what, "Look whether the token may read workflows, and whether AWX is well."
                    ) from problem
                asked = _asked_pause(problem)
            except (OSError, HTTPException) as problem:
                if attempt == _TRIES:
                    what = f"{self._url}{path} cannot be read: {problem}"
                    raise unknown(what, "Look at the network and at patch_approval_awx.") from problem
                asked = 0.0
            # Jitter, so that many jobs do not come back at the same moment.
            own = 2.0**attempt * random.uniform(0.25, 0.5)  # noqa: S311  no secret depends on it
            self._sleep(min(max(asked, own), _LONGEST_PAUSE))
            attempt += 1

    def get_all(self, path: str) -> Iterator[dict[str, Any]]:
        """The results of all pages of a list."""
        following = path
        for _page in range(_MOST_PAGES):
            answer = self.get(following)
            yield from results_of(answer, path)
            if not answer.get("next"):
                return
            following = str(answer["next"])
            if not following.startswith("/"):
                break
        raise unknown(f"{self._url}{path} has pages that lead elsewhere or never end", "Look at it by hand.")

    def _get_once(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        request = Request(self._url + path, headers=headers)  # noqa: S310  the policy's check lets http(s) through alone
        with self._opener.open(request, timeout=_SECONDS) as answer:
            content = answer.read(_MOST_BYTES)
        try:
            value = json.loads(content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise unknown(f"{self._url}{path} answered something else than a JSON object", "Is this the URL of an AWX?")
        return value


def results_of(answer: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """The results on one page."""
    results = answer.get("results")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise unknown(f"{path} is no list", "Is this the URL of an AWX?")
    return results


def unknown(what: str, remedy: str) -> FleetError:
    """The refusal where nobody can tell whether the plan is approved."""
    return FleetError(f"AWX does not tell who approved: {what}.", kind="approval_unknown", remedy=remedy)


def _asked_pause(problem: HTTPError) -> float:
    asked = problem.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0
