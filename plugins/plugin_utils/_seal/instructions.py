# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README.txt of a bundle: how an auditor verifies it with ``sha256sum`` and ``ssh-keygen`` alone."""

from __future__ import annotations

from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.model import (
    APPROVAL_SIGNERS,
    SEAL_NAMESPACE,
    SEAL_SIGNERS,
    Seal,
    principal_of,
)

COMMAND = "    "
"""The commands are indented, and nothing else is."""


def instructions(seal: Seal) -> bytes:
    """The text. It holds nothing from outside but names that were checked, so that its commands are safe to run."""
    before = _FIRST if seal.previous is None else _FOLLOWS
    number, root = (seal.previous.number, seal.previous.root) if seal.previous else (0, "")
    moment = "".join(character for character in seal.sealed if character.isdigit())
    return (
        (_TEXT + before + _END)
        .format(
            tenant=seal.tenant,
            number=seal.number,
            cycle=seal.cycle,
            plan=seal.plan,
            principal=principal_of(seal.tenant),
            namespace=SEAL_NAMESPACE,
            seal_signers=SEAL_SIGNERS,
            approval_signers=APPROVAL_SIGNERS,
            count=seal.count,
            head=seal.head,
            moment=f"{moment}Z",
            previous=number,
            previous_root=root,
        )
        .encode()
    )


_TEXT = """\
Patch evidence of tenant {tenant}, cycle {cycle}: seal {number}
Plan {plan}

You need sha256sum and ssh-keygen (OpenSSH 9.1 or later), and nothing of the program that made this.
Below is what has to be run in this folder, indented, and why. Every line must succeed. Read it first: whoever made a
false bundle would have written false commands. docs/auditors.md of bankops.fleet has a program that takes none of them.


1. The public key. Do not take it from this folder: whoever made a false bundle would have put a false key into it.
Ask the security officer of {tenant} for the allowed-signers file of the seals, or take it from where the tenant
publishes it, and compare the fingerprint that step 3 prints by telephone. {seal_signers} in this folder shows what to
expect; the file that you were given must have the same line. Name that file:

    : "${{SIGNERS:?Set SIGNERS to the allowed-signers file that you were given: export SIGNERS=/path/to/it}}"

2. The files. Each is what was sealed, and none was added. A name with a line feed could pass for two, so none may have
any character that cannot be printed; and there are files and folders only:

    LC_ALL=C
    export LC_ALL
    test -z "$(find . -name '*[![:print:]]*')"
    test -z "$(find . ! -type d ! -type f)"
    sha256sum --check --strict --quiet SHA256SUMS
    listed() {{ cut -c67- SHA256SUMS; echo SHA256SUMS; echo SHA256SUMS.sig; }}
    test -z "$( (listed; find . ! -type d | cut -c3-) | sort | uniq -u)"

3. The signature. It is of the key that seals this tenant's plans. If the key has expired since, put
-Overify-time={moment} (when this was sealed) before -f.

    ssh-keygen -Y verify -f "$SIGNERS" -I {principal} -n {namespace} -s SHA256SUMS.sig < SHA256SUMS

4. The plan and its ledger are those that the seal is about:

    test "$(sha256sum < plan.json)" = "{plan}  -"
    test "$(wc -l < ledger.jsonl)" -eq {count}
    test {count} -eq 0 || tail -n 1 ledger.jsonl | grep -q '"hash":"{head}"'

5. The approvals. Each is a statement that its approver has signed, by the list of those who might when this was sealed.
Compare {approval_signers} with what the tenant says of its people. Then read each statement: it names the plan, the
purpose, the approver and the time. The approver must not be the one who executed (in the ledger, "executor").

    for statement in approvals/*.json; do
        test -e "$statement" || continue
        signature="${{statement%.json}}.sig"
        when="-Overify-time=$(sed 's/.*"created":"\\([0-9TZ:-]*\\)".*/\\1/; s/[TZ:-]//g' "$statement")Z"
        who="$(ssh-keygen -Y find-principals "$when" -s "$signature" -f {approval_signers} | head -n 1)"
        ssh-keygen -Y verify "$when" -f {approval_signers} -I "$who" -n bankops-fleet-approval -s "$signature" \\
            < "$statement" || exit 1
    done

"""
_FIRST = """\
6. The chain. This is the tenant's first seal, so nothing is before it.

    grep -q '"previous":null' seal.json

"""
_FOLLOWS = """\
6. The chain. Seal {previous} comes before this one. In its folder, sha256sum SHA256SUMS must print
{previous_root}
and here the seal must say so:

    grep -q '"previous":{{"number":{previous},"root":"{previous_root}"}}' seal.json

"""
_END = """\
If any line fails, the bundle is not what was sealed. That the last seals of the chain are there, only somebody who
knows their roots can tell: ask for the anchors, which are kept elsewhere.

What is here:
plan.json, hosts/          what was to be changed, on which hosts; the plan is found by its SHA-256
ledger.jsonl               what was done, in order; each line has the SHA-256 of the line before
approvals/                 who approved it
reports/                   what was reported of it before it was sealed; report.html and summary.md are for people
reports/csv/, *.xlsx       the same result for spreadsheets
reports/oscal/, *.json     the same result for programs
seal.json                  what it came to: hosts by outcome, attempts, the length of the ledger, the seal before
allowed_signers.*          who might seal and who might approve at that time
"""
