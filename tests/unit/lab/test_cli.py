# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's command line before any container runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.lab.cli import main
from ansible_collections.bankops.fleet.lab.topology import Place


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose default lab was asked to be two hosts."""
    run = tmp_path / ".lab/default/.run"
    run.mkdir(parents=True)
    place = Place(first_port=20000, subnet="10.100.0.0/22")
    run.joinpath("lab.json").write_text(
        json.dumps({"profile": "test", "web": 3, "only": ["web1", "kv1"], "place": vars(place)})
    )
    return tmp_path


def test_a_lab_that_is_not_up_is_named_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["facts", "--json"], tmp_path) == 2
    assert "Start it: lab/fleet up" in capsys.readouterr().err


def test_a_description_that_a_killed_run_left_half_written_counts_as_none(checkout: Path) -> None:
    (checkout / ".lab/default/.run/lab.json").write_text('{"profile": "te')
    assert main(["facts"], checkout) == 2


def test_facts_are_json_on_standard_output_alone(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["facts", "--json"], checkout) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts["hosts"]) == ["kv1", "web1"]
    assert facts["inventory"] == str(checkout / ".lab/default")
    assert facts["etcd"] == ["http://127.0.0.1:20001"]
    assert facts["signing_keys"]["approver"] == str(checkout / ".lab/default/.run/approver")
    assert facts["allowed_signers"] == str(checkout / ".lab/default/.run/allowed_signers")


def test_an_unknown_host_is_refused_with_those_there_are(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ssh", "web2", "--", "true"], checkout) == 2
    assert "It has kv1, web1" in capsys.readouterr().err


def test_only_ssh_takes_a_command(checkout: Path) -> None:
    assert main(["facts", "--", "true"], checkout) == 2


def test_a_report_without_traffic_is_an_error(checkout: Path) -> None:
    assert main(["traffic", "report"], checkout) == 2


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({}, 0),
        ({"failed": 1}, 1),
        ({"etcd_failed": 1}, 1),
        ({"requests": 0, "etcd_writes": 0}, 1),
        ({"ended": None}, 1),
    ],
)
def test_a_report_passes_only_when_requests_were_sent_and_none_failed_and_the_client_ended(
    checkout: Path, counts: dict[str, int | None], status: int
) -> None:
    folder = checkout / ".lab/default/.run/traffic"
    folder.mkdir()
    good = {"requests": 9, "failed": 0, "etcd_writes": 3, "etcd_failed": 0, "failovers": 2, "ended": "now"}
    (folder / "summary.json").write_text(json.dumps({**good, **counts}))
    assert main(["traffic", "report"], checkout) == status
