# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Statements signed and verified by OpenSSH's own ssh-keygen (8.7 or later), which alone reads private keys."""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.module_utils._command import Commands, Completed
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

# A passphrase or a PIN is asked for by a program that says nothing: a run without a person must fail, not wait.
_NO_PROMPT = {"SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC, _KEY_AT = b"SSHSIG", 10
_GOOD = re.compile(r" key (SHA256:[A-Za-z0-9+/=]+)\s*\Z")
_FIRST_FIELD = re.compile(r'\s*(?:"([^"]*)"|(\S+))')
_PATTERN = frozenset("*?!")
_SIGNING_SECONDS = 120
"""Time to touch a hardware key."""


@dataclass(frozen=True)
class Signer:
    """Who really signed: the key, the name under which it may sign this, and all names under which it is listed."""

    principal: str
    fingerprint: str
    principals: tuple[str, ...]

    def is_also(self, other: Signer) -> bool:
        """Whether both may be one person: the same key, or a name that both keys have."""
        return self.fingerprint == other.fingerprint or not set(self.principals).isdisjoint(other.principals)


def sign(statement: bytes, key: Path, namespace: str) -> str:
    """The armoured signature of ``statement``.

    ``key`` is a private key, or a public one whose private half an agent or a hardware key has. Raises FleetError of
    kind ``key_unusable``, also where a passphrase would have to be typed in.
    """
    done = _keygen(["-Y", "sign", "-f", str(key), "-n", namespace], statement, timeout=_SIGNING_SECONDS)
    if done.status != 0 or not done.stdout.startswith(_BEGIN):
        raise _unusable(key, done)
    return done.stdout


def verify(
    statement: bytes,
    signature: str,
    signers: Path,
    namespace: str,
    *,
    principal: str | None = None,
    at: datetime | None = None,
) -> Signer:
    """Who signed ``statement`` for ``namespace``, by the allowed-signers file ``signers`` as it holds now, or ``at``.

    With ``principal`` only that name may have signed. Now is what ssh-keygen takes by itself. Another time is given in
    the zone of this machine: naming it in UTC needs OpenSSH 9.1, and in another zone those dates of the file that name
    no zone would move.

    Raises FleetError: ``signature_bad`` (not of this statement or not for this namespace), ``signer_unknown`` (a key
    that is not listed, or not for this namespace or this time), ``signers_missing``.
    """
    listed = principals_of(_key_in(signature), signers)
    principals = listed if principal is None else tuple(name for name in listed if name == principal)
    if not listed:
        raise FleetError(
            f"The key that signed is not in {signers}.",
            kind="signer_unknown",
            remedy="Add the key to the file if its owner may sign.",
        )
    if not principals:
        raise FleetError(
            f"The key that signed is that of {', '.join(listed)} in {signers}, and not of {principal}.",
            kind="signer_unknown",
            remedy=f"Find out why it was not signed with the key of {principal}.",
        )
    time = [f"-Overify-time={at.astimezone():%Y%m%d%H%M%S}"] if at else []
    with _kept(signature) as file:
        for name in principals:
            names = ["-f", str(signers), "-I", name, "-n", namespace, "-s", file]
            done = _keygen(["-Y", "verify", *time, *names], statement)
            good = _GOOD.search(done.stdout)
            if done.status == 0 and good:
                return Signer(name, good.group(1), listed)
        # With no list of signers at hand ssh-keygen looks at the signature alone.
        alone = _keygen(["-Y", "check-novalidate", "-n", namespace, "-s", file], statement)
    if alone.status != 0:
        raise FleetError(
            f"The signature is not of this statement: {_said(alone)}.",
            kind="signature_bad",
            remedy="Find out who changed it, and sign anew.",
        )
    raise FleetError(
        f"{', '.join(principals)} may not sign this by {signers}: {_said(done)}.",
        kind="signer_unknown",
        remedy=f"Let somebody sign whose key the file lists for {namespace}.",
    )


def public_key(key: Path) -> str:
    """The public half of ``key`` in base64, also where the private one is encrypted. Raises FleetError as ``sign``."""
    done = _keygen(["-e", "-m", "RFC4716", "-f", str(key)], b"")
    if done.status != 0:
        raise _unusable(key, done)
    lines = done.stdout.splitlines()
    return "".join(line for line in lines if not line.startswith("----") and ":" not in line)


def principals_of(key: str, signers: Path) -> tuple[str, ...]:
    """The names under which an allowed-signers file lists a public key, in its order; patterns name nobody.

    Whether a name may sign, only ssh-keygen decides. Raises FleetError of kind ``signers_missing``.
    """
    try:
        lines = signers.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise FleetError(
            f"{signers}, which patch_approval_signers names, cannot be read: {problem}.",
            kind="signers_missing",
            remedy="Put the file there; docs/approval.md shows one.",
        ) from problem
    names: list[str] = []
    for line in lines:
        field = _FIRST_FIELD.match(line)
        if field and key in line.split() and not line.lstrip().startswith("#"):
            names += [name for name in (field.group(1) or field.group(2)).split(",") if name]
    return tuple(dict.fromkeys(name for name in names if _PATTERN.isdisjoint(name)))


def type_of(key: str) -> str:
    """The type of a public key in base64, as files of OpenSSH name it before the key (``ssh-ed25519``)."""
    return _first_text(base64.b64decode(key), 0).decode()


def is_armoured(signature: bytes) -> bool:
    """Whether these are the bytes that ssh-keygen writes for a signature: it reads others as the same one too."""
    try:
        text = signature.decode("ascii")
        packed = pack(text)
        blob = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return False
    return unpack(base64.b64encode(blob).decode().rstrip("=")) == text


def pack(signature: str) -> str:
    """A signature as one word without padding, in which the ledger's redaction finds no secret."""
    return "".join(line for line in signature.split("\n") if not line.startswith("-----")).rstrip("=\n")


def unpack(packed: str) -> str:
    """The armoured signature that was packed."""
    body = packed + "=" * (-len(packed) % 4)
    lines = [body[start : start + 70] for start in range(0, len(body), 70)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def _key_in(signature: str) -> str:
    """The public key, in base64, that a signature names; OpenSSH's PROTOCOL.sshsig has the layout."""
    try:
        packed = pack(signature)
        blob = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    key = _first_text(blob, _KEY_AT)
    if not blob.startswith(_MAGIC) or not key:
        raise FleetError(
            "The signature is none of OpenSSH's.",
            kind="signature_bad",
            remedy="Find out who changed it, and sign anew.",
        )
    return base64.b64encode(key).decode()


def _first_text(blob: bytes, start: int) -> bytes:
    """The text at a place of a blob, which has its length before it."""
    length = int.from_bytes(blob[start : start + 4], "big")
    return blob[start + 4 : start + 4 + length]


def _keygen(arguments: list[str], statement: bytes, *, timeout: float = 30) -> Completed:
    try:
        text = statement.decode()
    except UnicodeDecodeError:
        raise FleetError(
            "The statement is no text.", kind="signature_bad", remedy="Find out who changed it, and sign anew."
        ) from None
    return Commands().run(["ssh-keygen", *arguments], timeout=timeout, env=_NO_PROMPT, check=False, stdin=text)


@contextmanager
def _kept(signature: str) -> Iterator[str]:
    """The path of a file with the signature, for as long as it is needed."""
    with tempfile.NamedTemporaryFile("w", prefix="bankops-fleet-", suffix=".sig", encoding="utf-8") as file:
        file.write(signature)
        file.flush()
        yield file.name


def _unusable(key: Path, done: Completed) -> FleetError:
    return FleetError(
        f"{key} cannot be used to sign: {_said(done)}.",
        kind="key_unusable",
        remedy="Name a private key that only you may read, or the public key of one that your ssh-agent has; "
        "nothing here can ask for a passphrase.",
    )


def _said(done: Completed) -> str:
    """The last line of what ssh-keygen complained of."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else f"ssh-keygen ended with status {done.status}"
