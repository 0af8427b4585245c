# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by the real ssh-keygen."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._approval import sshsig

from .conftest import People, make_key

APPROVAL, ATTEMPT = "bankops-fleet-approval", "bankops-fleet-attempt"
STATEMENT = b'{"plan":"1"}'


def refused(people: People, signature: str, statement: bytes = STATEMENT, namespace: str = APPROVAL) -> FleetError:
    with pytest.raises(FleetError) as caught:
        sshsig.verify(statement, signature, people.signers, namespace)
    return caught.value


def test_a_signature_names_who_really_signed(people: People) -> None:
    signer = sshsig.verify(STATEMENT, sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL), people.signers, APPROVAL)
    shown = subprocess.run(["ssh-keygen", "-lf", people.keys["alice"]], capture_output=True, text=True, check=True)
    assert (signer.principal, signer.principals) == ("alice", ("alice",))
    assert signer.fingerprint == shown.stdout.split()[1]


def test_an_altered_statement_is_refused(people: People) -> None:
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    assert refused(people, signature, b'{"plan":"2"}').kind == "signature_bad"


def test_a_signature_for_another_namespace_is_refused(people: People) -> None:
    refusal = refused(people, sshsig.sign(STATEMENT, people.keys["carol"], ATTEMPT))
    assert refusal.kind == "signature_bad"
    assert "namespace does not match" in refusal.message


def test_an_unknown_key_is_refused(people: People) -> None:
    refusal = refused(people, sshsig.sign(STATEMENT, people.keys["mallory"], APPROVAL))
    assert refusal.kind == "signer_unknown"
    assert refusal.message == f"The key that signed is not in {people.signers}."


def test_a_key_that_may_not_sign_for_the_namespace_is_refused(people: People) -> None:
    refusal = refused(people, sshsig.sign(STATEMENT, people.keys["bob"], APPROVAL))
    assert refusal.kind == "signer_unknown"
    assert "bob may not sign this" in refusal.message
    assert "not permitted for use in signature namespace" in refusal.message


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("until", ["{:%Y%m%d%H%M%S}", "{:%Y%m%d%H%M%S}Z"])
def test_a_key_holds_as_long_as_the_file_says(
    people: People, monkeypatch: pytest.MonkeyPatch, zone: str, until: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    # A date without a zone is one of the controller's zone.
    now = datetime.now(timezone.utc if until.endswith("Z") else ZoneInfo(zone))
    people.list(people.line("alice", f'valid-before="{until.format(now + timedelta(hours=1))}"'))
    assert sshsig.verify(STATEMENT, signature, people.signers, APPROVAL).principal == "alice"
    people.list(people.line("alice", f'valid-before="{until.format(now - timedelta(hours=1))}"'))
    with pytest.raises(FleetError, match="key has expired") as caught:
        sshsig.verify(STATEMENT, signature, people.signers, APPROVAL)
    assert caught.value.kind == "signer_unknown"


def test_a_key_on_several_lines_has_all_their_names_and_the_rights_of_each(people: People) -> None:
    people.list(
        people.line("alice", f'namespaces="{ATTEMPT}"', listed_as="alice,al"),
        people.line("alice", f'namespaces="{APPROVAL}"', listed_as='"al smith"'),
    )
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    signer = sshsig.verify(STATEMENT, signature, people.signers, APPROVAL)
    assert (signer.principal, signer.principals) == ("al smith", ("alice", "al", "al smith"))


@pytest.mark.parametrize("listed_as", ["*", "*@bank.example", "!bob,*"])
def test_a_pattern_names_nobody(people: People, listed_as: str) -> None:
    people.list(people.line("alice", listed_as=listed_as))
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    assert refused(people, signature).kind == "signer_unknown"


def test_a_line_that_is_commented_out_lists_nobody(people: People) -> None:
    people.list("#" + people.line("alice"))
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    assert refused(people, signature).kind == "signer_unknown"


@pytest.mark.parametrize(
    "signature", ["", "x", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"]
)
def test_what_is_no_signature_is_refused(people: People, signature: str) -> None:
    assert refused(people, signature).kind == "signature_bad"


def test_a_statement_that_is_no_text_is_refused(people: People) -> None:
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    assert refused(people, signature, b"\xff").kind == "signature_bad"


def test_signers_that_cannot_be_read_are_named(people: People) -> None:
    signature = sshsig.sign(STATEMENT, people.keys["alice"], APPROVAL)
    people.signers.unlink()
    refusal = refused(people, signature)
    assert refusal.kind == "signers_missing"
    assert str(people.signers) in refusal.message


def test_a_key_with_a_passphrase_fails_at_once_instead_of_waiting_for_it(tmp_path: Path) -> None:
    locked = make_key(tmp_path, "locked", "a passphrase")
    with pytest.raises(FleetError, match="incorrect passphrase") as caught:
        sshsig.sign(STATEMENT, locked, APPROVAL)
    assert caught.value.kind == "key_unusable"
    assert "ssh-agent" in caught.value.remedy


def test_a_passphrase_is_not_asked_for_at_a_terminal_either(tmp_path: Path) -> None:
    locked = make_key(tmp_path, "locked", "a passphrase")
    program = tmp_path / "program.py"
    program.write_text(
        f"import sys\nsys.path[:] = {sys.path!r}\nfrom pathlib import Path\n"
        f"from {sshsig.__name__} import sign\nsign(b'', Path({str(locked)!r}), 'n')\n"
    )
    # script gives the program a terminal of its own, on which nobody types.
    command = ["script", "--quiet", "--return", "--command", f"{sys.executable} {program}", "/dev/null"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout
        said = run.stdout.read().decode()
    assert "cannot be used to sign" in said
    assert "Enter passphrase" not in said


def test_a_key_that_is_not_there_is_unusable(tmp_path: Path) -> None:
    for use in (lambda key: sshsig.sign(STATEMENT, key, APPROVAL), sshsig.public_key):
        with pytest.raises(FleetError, match="No such file") as caught:
            use(tmp_path / "nobody")
        assert caught.value.kind == "key_unusable"


def test_an_agent_signs_for_a_public_key(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    for assignment in started.split(";"):
        name, _, value = assignment.strip().partition("=")
        if value:
            monkeypatch.setenv(name, value)
    try:
        subprocess.run(["ssh-add", "-q", people.keys["alice"]], check=True)
        people.keys["alice"].unlink()
        signature = sshsig.sign(STATEMENT, people.keys["alice"].with_suffix(".pub"), APPROVAL)
        assert sshsig.verify(STATEMENT, signature, people.signers, APPROVAL).principal == "alice"
    finally:
        subprocess.run(["ssh-agent", "-k"], check=True, capture_output=True)


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
def test_the_public_half_of_a_key_is_known_without_its_passphrase(tmp_path: Path, passphrase: str) -> None:
    key = make_key(tmp_path, "key", passphrase)
    public = key.with_suffix(".pub")
    known = public.read_text().split()[1]
    assert sshsig.public_key(public) == known
    public.unlink()
    assert sshsig.public_key(key) == known


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_packed_signature_is_the_same_when_unpacked(tmp_path: Path, kind: str) -> None:
    key = tmp_path / kind
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(key)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    signature = sshsig.sign(STATEMENT, key, APPROVAL)
    packed = sshsig.pack(signature)
    assert packed.replace("+", "").replace("/", "").isalnum()
    assert sshsig.unpack(packed) == signature
