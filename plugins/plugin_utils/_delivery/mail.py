# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Handing a mail to its server.

Not with community.general.mail: its ``secure: starttls`` accepts every certificate, and goes on in clear text, password
included, when the server's second greeting is no number. docs/sending.md shows both.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from mimetypes import guess_type
from pathlib import Path

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import Destination
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.outcome import Refusal

_MEGABYTE = 1_000_000


def compose(
    destination: Destination, *, subject: str, text: str, attachments: Sequence[tuple[str, Path]], content: str
) -> EmailMessage:
    """The mail, with ``attachments`` as pairs of name and file.

    ``content`` is the digest of what it says: a mail that is sent a second time has the same Message-ID, and is known.
    """
    # The policy refuses a header with a line feed in it, and ends every line as servers expect it.
    mail = EmailMessage(policy=SMTP)
    mail["From"] = destination.own["sender"]
    mail["To"] = ", ".join(destination.own["to"])
    mail["Subject"] = subject
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{content}.{destination.name}@{destination.own['sender'].rpartition('@')[2]}>"
    # No out-of-office reply goes back to whoever runs the fleet (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    for name, path in attachments:
        main, _slash, sub = (guess_type(name)[0] or "application/octet-stream").partition("/")
        mail.add_attachment(path.read_bytes(), maintype=main, subtype=sub, filename=name)
    return mail


def send(
    mail: EmailMessage, destination: Destination, recipients: Collection[str], timeout: float
) -> Mapping[str, Refusal | None]:
    """Hand the mail to the destination's server, for these of its recipients; what became of it for each."""
    size = len(mail.as_bytes())
    if size > destination.own["max_mb"] * _MEGABYTE:
        reason = (
            f"the mail has {size / _MEGABYTE:.1f} MB, and max_mb is {destination.own['max_mb']}; "
            "put large formats into a bucket (type s3)"
        )
        return dict.fromkeys(recipients, Refusal(reason, permanent=True))
    try:
        refused = _hand_over(mail, destination, recipients, timeout)
    except smtplib.SMTPRecipientsRefused as problem:
        refused = problem.recipients
    except (smtplib.SMTPException, OSError) as problem:
        return dict.fromkeys(recipients, _why(problem))
    except ValueError:
        # Of what cannot be encoded the error has the whole text in it, and that may be the password.
        reason = "a name, an address or a credential is not as mail servers are told them"
        return dict.fromkeys(recipients, Refusal(reason, permanent=True))
    return {recipient: _said(*refused[recipient]) if recipient in refused else None for recipient in recipients}


def _hand_over(
    mail: EmailMessage, destination: Destination, recipients: Collection[str], timeout: float
) -> dict[str, tuple[int, bytes]]:
    """The recipients that the server refused. Raises SMTPException and OSError."""
    own, credentials = destination.own, destination.credentials
    context = ssl.create_default_context(cafile=destination.ca_file or None)
    if own["tls"] == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(own["server"], own["port"], timeout=timeout, context=context)
    else:
        server = smtplib.SMTP(own["server"], own["port"], timeout=timeout)
    try:
        if own["tls"] == "starttls":
            # Raises where the server does not offer it: nothing of a report is ever sent in clear text.
            server.starttls(context=context)
        if credentials:
            server.login(credentials["username"], credentials["password"])
        return server.send_message(mail, own["sender"], list(recipients))
    finally:
        # A server that took the mail and then fails to say goodbye has taken it.
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
        server.close()


def _why(problem: Exception) -> Refusal:
    if isinstance(problem, smtplib.SMTPSenderRefused):
        return _said(problem.smtp_code, problem.smtp_error, f"sender {problem.sender} refused: ")
    if isinstance(problem, smtplib.SMTPResponseException):
        return _said(problem.smtp_code, problem.smtp_error)
    if isinstance(problem, ssl.SSLCertVerificationError):
        return Refusal(f"the server's certificate does not hold: {problem.verify_message}", permanent=True)
    if isinstance(problem, smtplib.SMTPNotSupportedError):
        return Refusal(f"the server cannot do what is needed: {problem}", permanent=True)
    return Refusal(f"{type(problem).__name__}: {problem}", permanent=False)


def _said(code: int, text: bytes | str, before: str = "") -> Refusal:
    """What a server answered: of 5xx it says itself that a second try is in vain (RFC 5321, 4.2.1)."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Refusal(f"{before}{code} {shown}", permanent=code >= 500)
