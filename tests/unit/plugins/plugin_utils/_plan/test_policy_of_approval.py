# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy of approval: what each way needs, and what a tenant's hosts agree about."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError

from .fleets import policies, policies_of, policy

SIGNED = {"patch_approval": "signature", "patch_approval_signers": "/etc/bankops-fleet/allowed_signers"}
IN_AWX = {"patch_approval": "awx", "patch_approval_awx": {"url": "https://awx.example.com", "node": "approve"}}


def problem_with(**hosts: dict[str, Any]) -> str:
    with pytest.raises(FleetError) as caught:
        policies(**hosts)
    assert caught.value.kind == "bad_policy"
    return caught.value.message


def test_without_a_word_no_approval_is_needed_and_the_plan_says_so() -> None:
    data = policy().as_data()
    assert (data["approval"], data["approval_signers"], data["approval_awx"]) == ("none", None, None)
    assert data["approval_hours"] == 72


def test_the_plan_freezes_how_it_is_approved() -> None:
    assert policy(**SIGNED).as_data()["approval_signers"] == "/etc/bankops-fleet/allowed_signers"
    assert policy(**IN_AWX).as_data()["approval_awx"] == {"url": "https://awx.example.com", "node": "approve"}


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"patch_approval": "signature"}, "patch_approval_signers: is missing. Set it, as patch_approval is signature"),
        ({"patch_approval": "awx"}, "patch_approval_awx: is missing. Set it, as patch_approval is awx"),
        ({**IN_AWX, "patch_approval_awx": {"node": "approve"}}, "patch_approval_awx.url: is missing"),
        ({**SIGNED, "patch_approval_hours": 0}, "patch_approval_hours: 0: must be at least 1"),
        ({"patch_approval": "signatur"}, "must be one of none, signature, awx. Did you mean signature?"),
        ({**SIGNED, "patch_approval_signer": "x"}, "Did you mean patch_approval_signers?"),
    ],
)
def test_what_is_missing_or_wrong_is_named(variables: dict[str, Any], what: str) -> None:
    assert what in problem_with(web1=variables)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://awx.example.com", True),
        ("https://awx.example.com:8443/awx", True),
        ("http://127.0.0.1:8052", True),
        ("http://localhost", True),
        ("http://awx.example.com", False),
        ("https://user:secret@awx.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1@awx.example.com", False),
        ("file:///etc/passwd", False),
        ("awx.example.com", False),
    ],
)
def test_the_token_goes_through_tls_or_stays_on_the_machine(url: str, good: bool) -> None:
    variables = {**IN_AWX, "patch_approval_awx": {"url": url}}
    if good:
        assert policy(**variables).approval_awx == {"url": url}
    else:
        message = problem_with(web1=variables)
        assert "is no https URL" in message
        assert "secret" not in message


def test_the_hosts_of_a_tenant_agree_about_approval() -> None:
    message = problem_with(web1=SIGNED, web2=SIGNED, web3={})
    assert "patch_approval: 'none': differs from the other hosts of the tenant" in message


def test_an_emergency_cycle_may_be_approved_otherwise() -> None:
    variables = {**IN_AWX, "patch_emergency": {**SIGNED, "patch_approval_hours": 4}}
    found = policies_of({"web1": variables}, emergency=True)["web1"]
    assert (found.approval, found.approval_hours) == ("signature", 4)
    assert policies_of({"web1": variables})["web1"].approval == "awx"
