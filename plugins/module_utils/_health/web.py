# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small web client: TLS verified, no proxy, redirects only when asked for, a deadline."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Mapping, NamedTuple, Optional

_MOST_BYTES = 1024 * 1024


class WebError(Exception):
    """No answer came: no connection, no trust, no time."""


class Answer(NamedTuple):
    """Status and the first megabyte of the body."""

    status: int
    text: str


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, but shows no other server the headers, which may hold a password."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Optional[urllib.request.Request]:
        redirected = super().redirect_request(req, fp, code, msg, headers, newurl)
        if redirected is not None and redirected.host != req.host:
            redirected.headers = {}
        return redirected


class Web:
    """Requests with one set of certificates and one timeout in seconds, for each silence and for a whole body.

    Raises WebError where the certificate files cannot be used.
    """

    def __init__(
        self,
        *,
        timeout: float,
        ca_file: Optional[str] = None,
        cert_file: Optional[str] = None,
        key_file: Optional[str] = None,
        follow_redirects: bool = False,
    ) -> None:
        self._timeout = timeout
        try:
            context = ssl.create_default_context(cafile=ca_file)
            if cert_file:
                context.load_cert_chain(cert_file, key_file)
        except (OSError, ssl.SSLError) as problem:
            raise WebError(f"the certificate files cannot be used: {problem}") from problem
        # Neither files nor FTP nor proxies: the director gets no handler for them. Nor for errors, unless redirects are
        # followed, so that each status is an answer.
        self._opener = urllib.request.OpenerDirector()
        self._opener.add_handler(urllib.request.HTTPHandler())
        self._opener.add_handler(urllib.request.HTTPSHandler(context=context))
        if follow_redirects:
            self._opener.add_handler(urllib.request.HTTPErrorProcessor())
            self._opener.add_handler(_Redirects())
            self._opener.add_handler(urllib.request.HTTPDefaultErrorHandler())

    def get(self, url: str, *, headers: Optional[Mapping[str, str]] = None) -> Answer:
        """The answer to a GET, whatever its status. Raises WebError."""
        return self._exchange(urllib.request.Request(url, headers=dict(headers or {})))  # noqa: S310 - http(s) only

    def post(self, url: str, body: bytes) -> Answer:
        """The answer to a POST of JSON, whatever its status. Raises WebError."""
        headers: Dict[str, str] = {"Content-Type": "application/json"}
        return self._exchange(urllib.request.Request(url, data=body, headers=headers))  # noqa: S310 - http(s) only

    def _exchange(self, request: urllib.request.Request) -> Answer:
        deadline = time.monotonic() + self._timeout
        try:
            try:
                answer: Any = self._opener.open(request, timeout=self._timeout)
            except urllib.error.HTTPError as error:
                answer = error  # an answer as well, with redirects followed
            with answer:
                return Answer(int(answer.code), self._read(answer, deadline))
        except urllib.error.URLError as problem:
            raise WebError(f"no answer: {problem.reason}") from problem
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise WebError(f"no answer: {problem or type(problem).__name__}") from problem

    def _read(self, answer: Any, deadline: float) -> str:
        """The socket's timeout is one of silence; a server that drips is stopped by the deadline."""
        body = b""
        while len(body) < _MOST_BYTES:
            piece = answer.read1(65536)
            if not piece:
                break
            body += piece
            if time.monotonic() > deadline:
                raise WebError(f"the answer was not complete within {self._timeout:g} s")
        return body.decode("utf-8", "replace")
