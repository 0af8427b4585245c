# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a look at a plan foretells of its seal, and what is said where its bundle cannot be written."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import Sealer, foresee, seal_plan
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, utc_now


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def book(site: Site) -> Book:
    """A plan that nothing but a key keeps from being sealed."""
    return site.patched("beta")


def foreseen(book: Book, sealer: Sealer) -> str | None:
    return foresee(book.state, book.tenant, book.plan, sealer, utc_now())


def state(site: Site) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file()}


def test_what_would_be_done_is_said_and_nothing_is_written(site: Site, book: Book) -> None:
    before = state(site)
    assert foreseen(book, site.sealer("beta", signers=site.signers)) == "would be sealed: complete"
    assert state(site) == before


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"keys": None}, "key_unusable"),
        ({"keys": {"alpha": "/etc/hostname"}}, "key_unusable"),
        ({"keys": "/nowhere/key"}, "key_unusable"),
        ({"signers": Path("/nowhere/signers")}, "signers_missing"),
    ],
)
def test_what_would_be_refused_for_its_key_is_refused_before(
    site: Site, book: Book, given: dict[str, Any], kind: str
) -> None:
    sealer = replace(site.sealer("beta", signers=site.signers), **given)
    with pytest.raises(FleetError) as refused:
        foreseen(book, sealer)
    assert refused.value.kind == kind
    with pytest.raises(FleetError) as really:
        seal_plan(book.state, book.tenant, book.plan, sealer, utc_now())
    assert str(really.value) == str(refused.value)


def test_a_key_that_the_file_lists_for_another_tenant_is_refused_before(site: Site, book: Book) -> None:
    with pytest.raises(FleetError, match=r"is not listed as seal@beta in .* which fleet_seal_signers names"):
        foreseen(book, site.sealer("beta", "alpha", signers=site.signers))


def test_a_plan_that_is_not_at_its_end_is_said_to_be_so_whatever_the_key(site: Site) -> None:
    open_plan = site.freeze("alpha", "2026-12")
    with pytest.raises(FleetError, match="is not at its end"):
        foreseen(open_plan, replace(site.sealer("alpha"), keys=None))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that takes no more of a file, as near as a process comes to a full one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_bundle_that_is_gone_is_missed_and_made_again(site: Site) -> None:
    patched = site.patched("alpha")
    sealed = site.seal(patched)
    assert (sealed.is_new, sealed.is_made) == (True, True)
    # Who has sealed needs no key any more.
    keyless = replace(site.sealer("alpha"), keys=None)
    assert foreseen(patched, keyless) is None
    assert not seal_plan(site.state, "alpha", patched.plan, keyless, utc_now()).is_made
    shutil.rmtree(sealed.bundle)
    assert foreseen(patched, keyless) == "is sealed, and the bundle of its seal 1 is gone: it would be made again"
    with files_of_at_most(100), pytest.raises(FleetError) as full:
        seal_plan(site.state, "alpha", patched.plan, keyless, utc_now())
    assert full.value.kind == "bundles_unwritable"
    assert f"cannot be written into {site.bundles}: {sealed.bundle.parent}/.new-" in full.value.message
    assert full.value.message.endswith("/plan.json: File too large.")
    assert not sealed.bundle.exists()
    again = seal_plan(site.state, "alpha", patched.plan, keyless, utc_now())
    assert (again.is_new, again.is_made) == (False, True)


def test_where_no_bundle_can_be_the_folder_is_named(site: Site, book: Book) -> None:
    nowhere = replace(site.sealer("beta"), bundles=Path("/proc/nope/bundles"))
    with pytest.raises(FleetError) as refused:
        seal_plan(book.state, book.tenant, book.plan, nowhere, utc_now())
    assert refused.value.kind == "bundles_unwritable"
    assert refused.value.message.startswith("The bundles cannot be written into /proc/nope/bundles: /proc/nope")
    assert "fleet_bundles" in (refused.value.remedy or "")
    assert site.state.seals("beta") == []


def test_a_state_that_cannot_be_written_is_named_with_its_file(site: Site, book: Book) -> None:
    with files_of_at_most(10), pytest.raises(FleetError) as full:
        site.seal(book)
    assert full.value.kind == "state_error"
    assert f"{site.folder}/state/tenants/beta/" in full.value.message
