# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roots of seals reach a bucket with Object Lock and the tenant's mailbox, and are anchors there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from moto.server import ThreadedMotoServer

from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY, run_ansible
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site
from ansible_collections.bankops.fleet.tests.services.receivers import HOST, free_port

BUCKET = "anchors"
HOOKS = [str(REPOSITORY / f"playbooks/hooks/{name}.yml") for name in ("anchor_s3", "anchor_mail")]
KEYS = {"AWS_ACCESS_KEY_ID": "admin", "AWS_SECRET_ACCESS_KEY": "admin", "AWS_REGION": "us-east-1"}


class Mailbox(Message):
    """Keeps what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[EmailMessage] = []

    def handle_message(self, message: Any) -> None:
        self.mails.append(message)


def text_of(mail: EmailMessage) -> str:
    (part,) = (part for part in mail.walk() if part.get_content_type() == "text/plain")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port()
    server = Controller(box, hostname=HOST, port=port)
    server.start()
    yield box, port
    server.stop()


@contextmanager
def locked_bucket() -> Iterator[tuple[str, Any]]:
    """A bucket in which every object is kept for a year, and a client for it."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        keys = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin"}
        client = boto3.client("s3", region_name="us-east-1", endpoint_url=url, **keys)
        client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        client.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=configuration)
        yield url, client
    finally:
        server.stop()


def test_roots_are_kept_elsewhere_and_show_a_chain_that_was_cut(tmp_path: Path, mailbox: tuple[Mailbox, int]) -> None:
    site, (box, port) = Site(tmp_path / "site"), mailbox
    for cycle in ("2026-10", "2026-11"):
        site.patched("alpha", cycle)
    with locked_bucket() as (url, client):
        variables = {
            "fleet_state_dir": str(site.folder / "state"),
            "fleet_bundles": str(site.bundles),
            "fleet_seal_key": str(site.keys["alpha"]),
            "fleet_seal_signers": str(site.signers),
            "fleet_seal_anchors": HOOKS,
            "seal_anchor_bucket": BUCKET,
            "seal_anchor_endpoint": url,
            "seal_anchor_mail": {"alpha": ["audit@alpha.example"]},
            "seal_anchor_mail_host": HOST,
            "seal_anchor_mail_port": port,
        }
        arguments = ("bankops.fleet.evidence_seal", "-e", json.dumps(variables))
        done = run_ansible(site.folder, "playbook", *arguments, environment=KEYS)
        assert done.returncode == 0, done.stdout + done.stderr
        listed = client.list_objects_v2(Bucket=BUCKET)["Contents"]
        assert [entry["Key"] for entry in listed] == [f"bankops-fleet/seals/alpha/000{n}.json" for n in (1, 2)]
        found = [client.get_object(Bucket=BUCKET, Key=entry["Key"]) for entry in listed]
        assert {entry["ObjectLockMode"] for entry in found} == {"COMPLIANCE"}
        kept = [json.loads(entry["Body"].read()) for entry in found]
        # Whoever anchors again finds the same root; another one under the same number is somebody's other seal.
        again = ("bankops.fleet.evidence_seal", "-e", json.dumps({**variables, "fleet_anchor_again": True}))
        assert run_ansible(site.folder, "playbook", *again, environment=KEYS).returncode == 0
        other = json.dumps({"tenant": "alpha", "number": 3, "root": "0" * 64})
        client.put_object(Bucket=BUCKET, Key="bankops-fleet/seals/alpha/0003.json", Body=other.encode())
        site.patched("alpha", "2026-12")
        refused = run_ansible(site.folder, "playbook", *arguments, environment=KEYS)
        assert refused.returncode == 2
        said = " ".join(refused.stdout.split())
        assert f"{BUCKET}/bankops-fleet/seals/alpha/0003.json holds" in said
        assert "Two seals were made with this number" in said
    mails = box.mails[:2]
    mailed = [yaml.safe_load(text_of(mail).partition("\n\n")[2])[0] for mail in mails]
    assert mailed == kept
    assert [mail["To"] for mail in mails] == ["audit@alpha.example"] * 2
    assert site.verify(anchors=site.anchors(kept)) == []
    for last in site.bundles.glob("alpha/000[23]-*"):
        last.rename(site.folder / last.name)
    assert [finding.kind for finding in site.verify(anchors=site.anchors(mailed))] == ["anchor_gone"]
