# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What falconpy speaks through. Imports it, and is imported by whoever has found that it is there.

falconpy makes every failure a dictionary: a connection that was refused has status 500 there, as has an answer that it
stumbles over. So the HTTP session underneath keeps what really happened. It sees to the time limits as well, and
follows no redirection: falconpy would send the secret of a client wherever the answer to it points.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline

try:
    import requests
    from falconpy import OAuth2
except ImportError:
    # Whoever needs these classes has found out before that the libraries are there.
    pass
else:

    class Wire(requests.Session):
        """A session that keeps the last answer, or the exception in its place."""

        def __init__(self, *, ca_file: str, connect_timeout: float, read_timeout: float, deadline: Deadline) -> None:
            super().__init__()
            self.answer: requests.Response | None = None
            self.failure: requests.RequestException | None = None
            self._ca_file = ca_file
            self._connect_timeout, self._read_timeout = connect_timeout, read_timeout
            self._deadline = deadline

        def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]
            """Send a request as falconpy wants it, with what it cannot be told."""
            self.answer = self.failure = None
            left = max(0.1, self._deadline.left)
            options["timeout"] = (min(self._connect_timeout, left), min(self._read_timeout, left))
            options["allow_redirects"] = False
            if self._ca_file:
                options["verify"] = self._ca_file
            try:
                self.answer = super().request(method, url, **options)
            except requests.RequestException as problem:
                self.failure = problem
                raise
            return self.answer

    class Interface(OAuth2):
        """The credentials and the token of a CID. It stays at its address until ``move`` is called.

        By itself falconpy takes every token whose answer has the header ``X-Cs-Region`` to the public address of that
        region, also from a custom address, and also where the region is the same.
        """

        @property
        def base_url(self) -> str:
            """The address of the API."""
            return str(self.config.base_url)

        @base_url.setter
        def base_url(self, value: str) -> None:
            """Called by falconpy after each login."""

        def move(self, address: str) -> None:
            """Go to another address."""
            self.config.base_url = address
