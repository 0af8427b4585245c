# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sealed bundle has the report in every format, of its own tenant alone, whatever hosts and inventories say."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.shelf import Shelf
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.instructions import COMMAND
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import Sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site

FORMATS = ("report.html", "report.json", "report.xlsx", "csv/hosts.csv", "oscal/assessment-results.json")
HOSTILE = "</script>=1+1\n\x1b[31m{{ 7*7 }}\u202e../'\""


@pytest.fixture(params=["folder", "database"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    made = Site(tmp_path)
    if request.param == "database":
        made.state = SpooledState(f"sqlite:///{tmp_path}/state.db", tmp_path / "spools", keep=lambda _order: None)
    return made


def sealed(site: Site, tenant: str = "alpha", cycle: str = "2026-11", mark: str = "") -> Sealed:
    book = site.patched(tenant, cycle, mark=mark)
    site.report_in_full(book)
    return site.seal(book)


def contents(folder: Path) -> Iterator[bytes]:
    """Every file of a bundle and its name; of a workbook, which is packed, each of its parts."""
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder)).encode()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as packed:
                yield from (packed.read(name) for name in packed.namelist())
        elif path.is_file():
            yield path.read_bytes()


def verified_by_hand(bundle: Path, signers: Path) -> bool:
    """What README.txt says, with no program of ours."""
    lines = (bundle / "README.txt").read_text().splitlines()
    program = "\n".join(line for line in lines if line.startswith(COMMAND))
    environment = {"PATH": os.environ["PATH"], "SIGNERS": str(signers)}
    return subprocess.run(["sh", "-e", "-c", program], cwd=bundle, env=environment, check=False).returncode == 0


def test_a_bundle_has_the_report_in_every_format(site: Site) -> None:
    bundle = sealed(site).bundle
    for name in FORMATS:
        assert f"  reports/{name}\n" in (bundle / "SHA256SUMS").read_text()
        assert (bundle / "reports" / name).stat().st_mode & 0o777 == 0o600
    assert (bundle / "reports/csv").stat().st_mode & 0o777 == 0o700
    assert json.loads((bundle / "reports/report.json").read_bytes())["scope"]["tenants"] == ["alpha"]
    assert "web2" in (bundle / "reports/csv/hosts.csv").read_text()
    assert site.verify(state=True) == []
    assert verified_by_hand(bundle, site.signers)


def test_a_report_in_a_folder_is_sealed_as_any_other(site: Site) -> None:
    bundle = sealed(site).bundle
    (bundle / "reports/csv/hosts.csv").write_text("all is well")
    (bundle / "reports/csv/notes.csv").write_text("")
    assert {(found.kind.value, found.where) for found in site.verify()} == {
        ("file_changed", "reports/csv/hosts.csv"),
        ("file_added", "reports/csv/notes.csv"),
    }
    assert not verified_by_hand(bundle, site.signers)


def test_no_report_in_a_bundle_holds_a_word_of_another_tenant(site: Site) -> None:
    marks = {"alpha": "AAAA-of-alpha-", "beta": "BBBB-of-beta-"}
    bundles = {
        tenant: [sealed(site, tenant, cycle, mark).bundle for cycle in ("2026-10", "2026-11")]
        for tenant, mark in marks.items()
    }
    for tenant, own in bundles.items():
        (other,) = marks.keys() - {tenant}
        for bundle in own:
            everything = b"\n".join(contents(bundle))
            assert marks[tenant].encode() in everything
            assert marks[other].encode() not in everything
            assert f"seal@{other}".encode() not in everything
            with zipfile.ZipFile(bundle / "reports/report.xlsx") as packed:
                assert any(marks[tenant].encode() in packed.read(name) for name in packed.namelist())


def test_what_hosts_and_inventories_say_reaches_no_name_and_breaks_no_format(site: Site) -> None:
    # No attempt is opened on such names; their plan expires, is reported and sealed.
    book = site.freeze(mark=HOSTILE, expires=timedelta(seconds=-1))
    site.report_in_full(book)
    bundle = site.seal(book).bundle
    assert site.verify(state=True) == []
    assert verified_by_hand(bundle, site.signers)
    for name in FORMATS:
        assert (bundle / "reports" / name).is_file()
    raw = {path.name: path.read_bytes() for path in (bundle / "reports").rglob("*") if path.is_file()}
    assert b"</script>=1" not in raw["report.html"]
    assert b"\x1b" not in b"".join(content for name, content in raw.items() if not name.endswith(".xlsx"))
    assert json.loads(raw["report.json"])["hosts"][0]["host"] == f"{HOSTILE}web1"


def test_no_report_is_made_where_a_seal_does_not_say_what_it_closed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    sealed(site)
    (tmp_path / "state/tenants/alpha/seals/1/seal.json").unlink()
    with pytest.raises(FleetError) as refused:
        Shelf(site.state).seal("alpha", "0" * 64)
    assert refused.value.kind == "seal_malformed"
