# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delivering a parcel: what is asked of which module, how its answer is read, and when it is tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery import mail, messages
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.brief import line
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.destinations import Kind
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.outcome import Refusal
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.parcels import Parcel
from ansible_collections.bankops.fleet.plugins.plugin_utils._delivery.records import Delivery
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import redact

RunModule = Callable[[str, dict[str, Any]], Mapping[str, Any]]
"""Runs a module by its full name on the controller; its result, or one that failed."""

LONGEST_WAIT = 300.0
"""Seconds a busy service may ask for; one that asks for more is given up."""

_ACCEPTED = {Kind.SLACK: [200], Kind.TEAMS: [200, 202]}
_BUSY = (408, 425, 429)
_S3_ERROR = re.compile(r"An error occurred \((\w+)\).*", re.DOTALL)
# Codes that stay, whoever asks how often (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
_S3_IN_VAIN = frozenset(
    {
        *("AccessDenied", "AllAccessDisabled", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken"),
        *("SignatureDoesNotMatch", "NoSuchBucket", "PermanentRedirect", "EntityTooLarge", "403", "404"),
    }
)


@dataclass(frozen=True)
class Patience:
    """How often a delivery is tried again, with how many seconds between, and how long each answer may take."""

    retries: int
    delay: float
    timeout: float


def deliver(
    parcel: Parcel,
    targets: Collection[str],
    *,
    run: RunModule,
    patience: Patience,
    sleep: Callable[[float], None],
    secrets: Collection[str],
) -> Delivery:
    """Deliver to these targets of a parcel, those that may come later again and again. Reasons are without secrets."""
    left, reached, refused, tries = list(targets), [], {}, 0
    while left:
        tries += 1
        said = _try_safely(parcel, left, run, patience.timeout)
        reached += [target for target in left if said[target] is None]
        failed = {target: why for target, why in said.items() if why is not None}
        refused.update({target: line(redact(why.reason, secrets)) for target, why in failed.items()})
        left = [target for target, why in failed.items() if not why.permanent and why.wait <= LONGEST_WAIT]
        if not left or tries > patience.retries:
            break
        sleep(max(patience.delay, *(failed[target].wait for target in left)))
    return Delivery(
        parcel, tuple(reached), {target: why for target, why in refused.items() if target not in reached}, tries
    )


def _try_safely(parcel: Parcel, targets: list[str], run: RunModule, timeout: float) -> Mapping[str, Refusal | None]:
    """One try, in which whatever breaks is a refusal: the other destinations are still to be served."""
    try:
        return _try(parcel, targets, run, timeout)
    except Exception as problem:  # noqa: BLE001 - what nobody foresaw must not keep reports from everybody else
        # Its message may have a credential in it.
        reason = f"the delivery broke down unexpectedly ({type(problem).__name__})"
        return dict.fromkeys(targets, Refusal(reason, permanent=True))


def _try(parcel: Parcel, targets: list[str], run: RunModule, timeout: float) -> Mapping[str, Refusal | None]:
    kind = parcel.destination.kind
    if kind is Kind.EMAIL:
        return _mail(parcel, targets, timeout)
    if kind is Kind.S3:
        return {target: _put(parcel, target, run, timeout) for target in targets}
    return dict.fromkeys(targets, _post(parcel, run, timeout))


def _mail(parcel: Parcel, targets: list[str], timeout: float) -> Mapping[str, Refusal | None]:
    reports, destination = parcel.reports, parcel.destination
    named = [(f"{reports.tenant}-{reports.cycle}-{file.name}", file.path) for file in parcel.files]
    text = messages.mail_text(reports.tenant, reports.brief, destination.link, [name for name, _path in named])
    try:
        composed = mail.compose(
            destination,
            subject=messages.subject(reports.tenant, reports.brief),
            text=text,
            attachments=named,
            content=parcel.content,
        )
    except OSError as problem:
        return dict.fromkeys(targets, Refusal(f"a report cannot be read: {problem}", permanent=True))
    return mail.send(composed, destination, targets, timeout)


def _post(parcel: Parcel, run: RunModule, timeout: float) -> Refusal | None:
    reports, destination = parcel.reports, parcel.destination
    make = messages.slack_message if destination.kind is Kind.SLACK else messages.teams_message
    body = make(reports.tenant, reports.brief, destination.link)
    accepted = _ACCEPTED[destination.kind]
    arguments = {
        "url": destination.credentials["url"],
        "method": "POST",
        # Written here, so that nothing takes a text for an expression or a number on the way.
        "body": json.dumps(body),
        "body_format": "json",
        "status_code": accepted,
        "timeout": int(timeout),
        "validate_certs": True,
        # A redirect may lead anywhere, with the report in the request.
        "follow_redirects": "none",
        "use_netrc": False,
        "return_content": True,
        **({"ca_path": destination.ca_file} if destination.ca_file else {}),
    }
    result = run("ansible.builtin.uri", arguments)
    if not result.get("failed"):
        return None
    status = result.get("status")
    if not isinstance(status, int) or status < 100:
        return Refusal(_reason(result), permanent="CERTIFICATE_VERIFY_FAILED" in str(result.get("msg")))
    said = str(result.get("content") or "")
    return Refusal(f"HTTP {status} {said}".strip(), permanent=_is_final(status), wait=_seconds(result))


def _put(parcel: Parcel, key: str, run: RunModule, timeout: float) -> Refusal | None:
    own, credentials = parcel.destination.own, parcel.destination.credentials
    (file,) = (file for file in parcel.files if parcel.key_of(file) == key)
    arguments = {
        "mode": "put",
        "bucket": own["bucket"],
        "object": key,
        "src": str(file.path),
        "metadata": {"sha256": file.sha256},
        # With these three the right to put, and to read tags, is enough: nothing is listed, read or made public.
        "overwrite": "always",
        "permission": [],
        "ignore_nonexistent_bucket": True,
        "validate_certs": True,
        "aws_config": {"connect_timeout": int(timeout), "read_timeout": int(timeout)},
        **credentials,
        **{name: own[name] for name in ("region", "endpoint_url") if name in own},
        **({"encryption_mode": "aws:kms", "encryption_kms_key_id": own["kms_key_id"]} if "kms_key_id" in own else {}),
        **({"aws_ca_bundle": parcel.destination.ca_file} if parcel.destination.ca_file else {}),
    }
    result = run("amazon.aws.s3_object", arguments)
    if not result.get("failed"):
        return None
    reason = _reason(result)
    # Before it stand the names of all that took part.
    said = _S3_ERROR.search(reason)
    return Refusal(said[0] if said else reason, permanent=said is not None and said[1] in _S3_IN_VAIN)


def _is_final(status: int) -> bool:
    """Whether a service says that a second try is in vain; a redirect is not followed, and does not go away."""
    return status < 500 and status not in _BUSY


def _seconds(result: Mapping[str, Any]) -> float:
    """How long to wait, where the service says so in seconds."""
    text = str(result.get("retry_after", ""))
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _reason(result: Mapping[str, Any]) -> str:
    """Why a module failed. One that broke down says it in the last line of its trace."""
    message = str(result.get("msg") or "").strip()
    trace = str(result.get("exception") or result.get("module_stderr") or "").strip()
    if trace and (not message or message.startswith("MODULE FAILURE")):
        return trace.splitlines()[-1]
    return message or "it failed, and does not say why"
