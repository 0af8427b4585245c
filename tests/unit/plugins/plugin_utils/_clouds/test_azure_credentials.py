# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks Azure: each way in which azure-identity finds somebody, and what is said when there is nobody."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("azure.mgmt.compute")

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.azure import CLOUDS
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline
from ansible_collections.bankops.fleet.tests.fakes.authority import make_authority
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.faults import TOKEN, answers, fault, says
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.server import serving
from ansible_collections.bankops.fleet.tests.fakes.clouds.azure.state import AUDIENCE, SUBSCRIPTION
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._clouds.azure_sources import (
    Cloud,
    cloud_of_our_own,
    machine,
    source,
)

OTHER = "11111111-2222-3333-4444-555555555555"
CALL = "the token of Azure"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud on a controller that is no machine of Azure, and where nobody has logged in."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("azure.core.pipeline.transport.HttpTransport.sleep", lambda _transport, _seconds: None)
    with cloud_of_our_own(tmp_path, monkeypatch) as found:
        found.azure.subscriptions[0].machines = [machine(1)]
        yield found


@pytest.fixture
def nobody(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The same, where the environment names nobody."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    return cloud


def test_a_principal_of_the_environment(cloud: Cloud) -> None:
    assert len(cloud.read()) == 1
    assert cloud.azure.issued == {"secret": 1}


def test_an_identity_of_a_workload(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assertion").write_text(cloud.azure.principal.assertion, encoding="ascii")
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "assertion"))
    # As Kubernetes sets it: this one of the chain is not told of another.
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", cloud.url)
    assert len(cloud.read()) == 1
    monkeypatch.setenv("AZURE_CLIENT_ID", OTHER)
    assert len(cloud.read(client_id=cloud.azure.principal.client_id)) == 1
    assert cloud.azure.issued == {"assertion": 2}


def test_an_identity_of_a_machine(nobody: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(nobody.azure, None) as metadata:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata)
        assert len(nobody.read()) == 1
    assert nobody.azure.issued["machine"] >= 1
    assert set(nobody.azure.issued) == {"machine"}


def test_a_login_of_the_command_line(nobody: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = {"accessToken": nobody.azure.issue("login"), "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    program = tmp_path / "bin/az"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho \"$@\" >> {tmp_path}/asked\necho '{json.dumps(token)}'\n", encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert len(nobody.read(tenant="contoso.example")) == 1
    # A program that is started for each page would cost more than all pages.
    (asked,) = (tmp_path / "asked").read_text(encoding="ascii").splitlines()
    assert f"--resource {AUDIENCE}" in asked
    assert "--tenant contoso.example" in asked


@pytest.mark.parametrize("name", CLOUDS)
def test_each_cloud_under_its_own_names(
    cloud: Cloud, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = CLOUDS[name]
    cloud.azure.audience = place.audience
    urls = [place.endpoint, place.authority or "https://login.microsoftonline.com"]
    authority = make_authority(tmp_path, name, [url.removeprefix("https://") for url in urls])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
    with serving(cloud.azure, None, tunnel=authority.context) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        found = source({"cloud": name, "subscriptions": SUBSCRIPTION})
        (scope,) = found.scopes(Deadline.after(20))
        assert len(list(found.machines(scope, Deadline.after(20)))) == 1
    assert cloud.azure.issued == {"secret": 1}


def test_another_tenant_than_that_of_the_environment(cloud: Cloud) -> None:
    cloud.azure.tenants = {OTHER}
    assert cloud.refused().kind == "credentials_refused"
    assert len(cloud.read(tenant=OTHER)) == 1


def test_another_audience(cloud: Cloud) -> None:
    cloud.azure.audience = "https://management.adfs.azurestack.local/1234"
    assert "AADSTS70011" in cloud.refused().message
    assert len(cloud.read(audience=cloud.azure.audience)) == 1


def test_a_wrong_secret(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hunter2")
    problem = cloud.refused()
    assert (problem.kind, problem.call) == ("credentials_refused", CALL)
    assert problem.message.endswith("EnvironmentCredential: AADSTS7000215: Invalid client secret provided"), (
        problem.message
    )
    assert "hunter2" not in problem.message


def test_nobody_at_all(nobody: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    # As it is in Ansible, where nobody listens to what libraries log.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    problem = nobody.refused()
    assert (problem.kind, problem.call) == ("credentials_missing", CALL)
    assert "nobody has credentials (tried EnvironmentCredential, " in problem.message
    assert "az login" in problem.remedy
    assert capfd.readouterr() == ("", "")


def test_half_a_principal(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    assert cloud.refused().kind == "credentials_missing"


def test_an_issuer_that_is_not_there(cloud: Cloud) -> None:
    problem = cloud.refused(authority="https://127.0.0.1:9")
    assert (problem.kind, problem.call) == ("unreachable", CALL)
    assert "Connection refused" in problem.message


@pytest.mark.parametrize("answer", [answers(503), says(b"<html>Log in</html>")])
def test_an_issuer_that_talks_nonsense(cloud: Cloud, answer: object) -> None:
    fault(cloud.azure, TOKEN, answer, times=100)  # type: ignore[arg-type]
    problem = cloud.refused()
    assert problem.call == CALL
    assert problem.kind in {"credentials_missing", "credentials_refused"}
