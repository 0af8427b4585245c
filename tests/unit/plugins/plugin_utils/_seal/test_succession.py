# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A seal follows the whole chain of its tenant, and no seal is older than what it closes and follows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.ledger import build_entry
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import foresee, seal_plan
from ansible_collections.bankops.fleet.tests.fakes.controller import REPOSITORY
from ansible_collections.bankops.fleet.tests.fakes.forging import bundle
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, utc_now

PAGE = REPOSITORY / "docs" / "state.md"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two months of tenant alpha, sealed."""
    made = Site(tmp_path)
    made.history(months=("2026-10", "2026-11"))
    return made


def seals(site: Site) -> Path:
    return site.folder / "state/tenants/alpha/seals"


def refusal(site: Site, book: Book) -> FleetError:
    """Why a plan cannot be sealed, and would not be."""
    with pytest.raises(FleetError) as refused:
        site.seal(book)
    with pytest.raises(FleetError) as foreseen:
        foresee(site.state, book.tenant, book.plan, site.sealer(book.tenant), utc_now())
    assert foreseen.value.kind == refused.value.kind
    return refused.value


def test_a_state_that_was_restored_without_its_last_seal_forks_no_chain(site: Site) -> None:
    last = bundle(site.bundles, 2)
    shutil.rmtree(seals(site) / "2")
    refused = refusal(site, site.patched("alpha", "2026-12"))
    assert refused.kind == "state_behind"
    assert refused.data == {"bundles": [last.name]}
    assert refused.message.startswith("In the state seal 1 is the last of tenant alpha, and in ")
    assert len(site.state.seals("alpha")) == 1
    assert site.state.leases("alpha") == []


@pytest.mark.parametrize("left", ["nothing of the plan", "the plan, not yet applied"])
def test_what_a_bundle_has_can_be_put_back_as_the_documentation_says(site: Site, left: str) -> None:
    last = bundle(site.bundles, 2)
    (plan,) = (path for path in (site.folder / "state/tenants/alpha/plans").iterdir() if path.name[:16] in last.name)
    shutil.rmtree(seals(site) / "2")
    if left == "nothing of the plan":
        shutil.rmtree(plan)
    else:
        (plan / "report.html").unlink()
        (plan / "ledger.jsonl").write_bytes((plan / "ledger.jsonl").read_bytes().splitlines(keepends=True)[0])
    chapter = PAGE.read_text().partition("### A state that lacks seals")[2].partition("\n## ")[0]
    (program,) = re.findall(r"^```shell\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    known = {"bundle": str(last), "number": "2", "plan": plan.name, "PATH": os.environ["PATH"]}
    own = program.replace("/srv/fleet/", f"{site.folder}/state/")
    subprocess.run(["sh", "-e", "-u", "-c", own], env=known, check=True)
    assert site.verify(state=True) == []
    assert site.seal(site.patched("alpha", "2026-12")).seal.number == 3
    assert site.verify(state=True) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "SHA256SUMS").write_text("another seal\n"),
        lambda folder: (folder / "SHA256SUMS").unlink(),
        lambda folder: folder.rename(folder.with_name("0002-2026-11-0000000000000000")),
    ],
    ids=["another root", "no root", "another plan"],
)
def test_bundles_of_other_seals_than_the_state_has_prevent_a_further_one(
    site: Site, spoil: Callable[[Path], object]
) -> None:
    spoil(bundle(site.bundles, 2))
    assert refusal(site, site.patched("alpha", "2026-12")).kind == "state_behind"


def test_bundles_that_were_moved_away_and_what_is_none_prevent_nothing(site: Site) -> None:
    shutil.rmtree(bundle(site.bundles, 1))
    (site.bundles / "alpha/.copy").mkdir()
    (site.bundles / "alpha/notes").mkdir()
    assert site.seal(site.patched("alpha", "2026-12")).seal.number == 3


@pytest.mark.parametrize("gone", ["1", "2/SHA256SUMS", "2/SHA256SUMS.sig"])
def test_a_chain_with_a_hole_is_not_continued(site: Site, gone: str) -> None:
    path = seals(site) / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert refusal(site, site.patched("alpha", "2026-12")).kind == "seal_gap"


def test_of_a_seal_that_is_not_whole_no_bundle_is_made_again(site: Site) -> None:
    (seals(site) / "2/SHA256SUMS").unlink()
    plan = site.state.get_cycle("2026-11")["plans"][0]["plan"]
    with pytest.raises(FleetError, match="SHA256SUMS is missing") as refused:
        seal_plan(site.state, "alpha", plan, site.sealer("alpha"), utc_now())
    assert refused.value.kind == "seal_gap"


def test_a_seal_is_never_older_than_what_it_closes_and_follows(site: Site) -> None:
    book = site.patched("alpha", "2026-12")
    # By the clock of another controller.
    ahead = datetime.now(timezone.utc) + timedelta(minutes=3)
    about: dict[str, Any] = {"plan": book.plan, "attempt": 0, "cycle": "2026-12", "tenant": "alpha", "host": None}
    site.state.append(
        "alpha",
        book.plan,
        lambda last: build_entry(
            last, **about, phase=Phase.DISTRIBUTE, outcome=EntryOutcome.OK, data={"delivery": {}}, time=ahead
        ),
    )
    third = site.seal(book)
    assert third.seal.moment == ahead.replace(microsecond=0)
    fourth = site.seal(site.patched("alpha", "2027-01"))
    assert fourth.seal.moment == third.seal.moment
    assert site.verify(state=True) == []
