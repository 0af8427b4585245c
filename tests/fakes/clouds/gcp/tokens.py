# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service accounts, and the tokens that they get: by a signed assertion of a key of theirs, or for one another."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt

from ansible_collections.bankops.fleet.tests.fakes.clouds.gcp.answers import Call, RefusalError

ACCOUNT = "fleet-controller@ops-prod.iam.gserviceaccount.com"
# Assertions are for this one, wherever the key says that tokens are had.
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Token:
    """Whose it is, and which scopes it opens."""

    account: str
    access: frozenset[str]


@dataclass
class Tokens:
    """The tokens that were issued. Those that are taken away are refused, as expired ones are."""

    uri: str = TOKEN_URI
    issued: dict[str, Token] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=lambda: {ACCOUNT})
    """Those whose keys are known; a key that is taken back is not."""
    narrow: bool = False
    """Whether tokens open nothing, as those of a virtual machine with few access scopes do."""

    def key_file(self, folder: Path, account: str = ACCOUNT) -> Path:
        """The key of a service account, as Google hands it out: a file for GOOGLE_APPLICATION_CREDENTIALS."""
        private, _public = _key()
        name, _, domain = account.partition("@")
        content = {
            "type": "service_account",
            "project_id": domain.partition(".")[0],
            "private_key_id": "1",
            "private_key": private,
            "client_email": account,
            "client_id": "104000000000000000000",
            "token_uri": self.uri,
        }
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content))
        path.chmod(0o600)
        return path

    def grant(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """The answer of the token endpoint to an assertion that is signed with the key of an account (RFC 7523)."""
        if form.get("grant_type") != [_GRANT] or "assertion" not in form:
            raise RefusalError(400, "invalid_request", "Invalid grant_type")
        _private, public = _key()
        try:
            claims = jwt.decode(form["assertion"][0], certs=public, audience=TOKEN_URI)
        except ValueError as problem:
            raise RefusalError(400, "invalid_grant", "Invalid JWT Signature.") from problem
        if claims["iss"] not in self.accounts:
            raise RefusalError(400, "invalid_grant", "Invalid grant: account not found")
        token = self._issue(claims["iss"], claims.get("scope", "").split())
        return {"access_token": token, "expires_in": int(_LIFETIME.total_seconds()), "token_type": "Bearer"}

    def lend(self, call: Call) -> dict[str, Any]:
        """iamcredentials.projects.serviceAccounts.generateAccessToken: a token of another account."""
        account = call.parameters["name"].rpartition("/")[2]
        if not call.cloud.admits("iam.serviceAccounts.getAccessToken", account):
            message = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."
            raise RefusalError(403, "forbidden", message, "IAM_PERMISSION_DENIED")
        expires = datetime.now(timezone.utc) + _LIFETIME
        token = self._issue(account, call.body["scope"])
        return {"accessToken": token, "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _issue(self, account: str, access: list[str]) -> str:
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self.issued[token] = Token(account, frozenset(() if self.narrow else access))
        return token


@lru_cache(maxsize=1)
def _key() -> tuple[str, bytes]:
    """A private key and the public one of it; they are worth nothing outside of the process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public
