# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a plan may be sealed, what its bundle holds, and that nothing but a whole seal is ever left."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.attempt import Book
from ansible_collections.bankops.fleet.plugins.plugin_utils._apply.leases import left_by, refuse_unfinished
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome, HostOutcome, Phase
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal import sealing
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.guard import unless_sealed
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.keys import key_of
from ansible_collections.bankops.fleet.plugins.plugin_utils._seal.sealing import seal_plan
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.folder import FolderState
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spooled import SpooledState
from ansible_collections.bankops.fleet.tests.fakes.sealing import Site, utc_now
from ansible_collections.bankops.fleet.tests.unit.plugins.plugin_utils._apply.plans import dead_process


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def kind_of_refusal(site: Site, book: Book, **how: Path) -> str:
    with pytest.raises(FleetError) as refused:
        site.seal(book, **how)
    assert refused.value.remedy
    return refused.value.kind


def test_a_bundle_holds_the_very_bytes_of_the_state(site: Site) -> None:
    book = site.patched()
    sealed = site.seal(book)
    plan = site.folder / "state/tenants/alpha/plans" / book.plan
    found = files(sealed.bundle)
    assert sealed.bundle == site.bundles / "alpha" / f"0001-2026-11-{book.plan[:16]}"
    for path in (
        "plan.json",
        "hosts/web1.json",
        "hosts/web2.json",
        "ledger.jsonl",
        "approvals/1.json",
        "approvals/1.sig",
    ):
        assert found[path] == (plan / path).read_bytes(), path
    assert found["reports/report.html"] == (plan / "report.html").read_bytes()
    assert found["allowed_signers.approvals"] == site.people.read_bytes()
    assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=sealed.bundle, check=False).returncode == 0


def test_a_seal_says_what_became_of_the_plan(site: Site) -> None:
    book = site.patched()
    seal = json.loads((site.seal(book).bundle / "seal.json").read_bytes())
    assert seal["why"] == "complete"
    assert {outcome: hosts for outcome, hosts in seal["hosts"].items() if hosts} == {"verified": 2}
    assert seal["attempts"] == [{"number": 1, "purpose": "apply", "state": "closed"}]
    assert seal["ledger"]["count"] == len(list(site.state.entries("alpha", book.plan)))
    assert seal["previous"] is None


def test_each_seal_names_the_one_before_of_its_own_tenant(site: Site) -> None:
    first, second = site.history("alpha", ("2026-10", "2026-11"))
    (of_beta,) = site.history("beta", ("2026-11",))
    assert second.seal.previous is not None
    assert (second.seal.previous.number, second.seal.previous.root) == (1, first.root)
    assert (of_beta.seal.number, of_beta.seal.previous) == (1, None)


def test_sealing_again_changes_nothing_and_restores_a_bundle_that_is_gone(site: Site) -> None:
    book = site.patched()
    sealed = site.seal(book)
    before = files(sealed.bundle)
    again = site.seal(book)
    assert (again.root, again.is_new, files(again.bundle)) == (sealed.root, False, before)
    subprocess.run(["rm", "-r", str(sealed.bundle)], check=True)
    # Also when the list of people is another one by now.
    site.people.write_text("")
    assert files(site.seal(book).bundle) == before
    assert len(site.state.seals("alpha")) == 1


def test_a_crash_between_seal_and_bundle_is_healed_by_the_next_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    book = site.patched()

    def crash(*_arguments: object) -> None:
        (site.bundles / "alpha/.new-of-a-crash/hosts").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "make_bundle", crash)
        with pytest.raises(KeyboardInterrupt):
            site.seal(book)
    assert len(site.state.seals("alpha")) == 1
    assert [path.name[0] for path in (site.bundles / "alpha").iterdir()] == ["."]
    sealed = site.seal(book)
    assert [path.name for path in (site.bundles / "alpha").iterdir()] == [sealed.bundle.name]
    assert site.verify(state=True) == []


def test_a_bundle_is_made_again_as_it_was_whatever_came_later(site: Site) -> None:
    book = site.patched()
    sealed = site.seal(book)
    before = files(sealed.bundle)
    subprocess.run(["rm", "-r", str(sealed.bundle)], check=True)
    with pytest.raises(FleetError, match="is sealed"):
        site.state.put_report("alpha", book.plan, "report.html", b"made anew")
    site.state.put_report("alpha", book.plan, "deliveries-after-seal.json", b"{}")
    assert files(site.seal(book).bundle) == before
    assert site.verify(state=True) == []


@pytest.mark.parametrize("change", [lambda path: path.write_text("made anew"), Path.unlink], ids=["changed", "removed"])
def test_a_bundle_that_cannot_be_made_again_is_an_error_that_names_the_files(
    site: Site, change: Callable[[Path], object]
) -> None:
    book = site.patched()
    sealed = site.seal(book)
    subprocess.run(["rm", "-r", str(sealed.bundle)], check=True)
    # By hand: the state itself replaces none that was sealed.
    change(site.folder / "state/tenants/alpha/plans" / book.plan / "report.html")
    with pytest.raises(FleetError, match=r"reports/report\.html") as refused:
        site.seal(book)
    assert refused.value.kind == "bundle_differs"
    assert list((site.bundles / "alpha").iterdir()) == []


def test_two_who_seal_at_once_make_one_chain(site: Site) -> None:
    first, second = site.patched(cycle="2026-10"), site.patched(cycle="2026-11")

    class Slow(FolderState):
        """A state in which somebody else is always quicker once."""

        beaten = False

        def put_seal(self, tenant: str, number: int, files_of_it: dict[str, bytes]) -> None:
            if not self.beaten:
                self.beaten = True
                elsewhere = sealing.Sealer(
                    str(site.keys["alpha"]), None, site.folder / "elsewhere", "elsewhere:1:1:boot/1"
                )
                seal_plan(site.state, "alpha", first.plan, elsewhere, utc_now())
            super().put_seal(tenant, number, files_of_it)

    late = seal_plan(Slow(site.folder / "state"), "alpha", second.plan, site.sealer("alpha"), utc_now())
    assert late.seal.number == 2
    assert late.seal.previous is not None
    site.seal(first)
    assert site.verify(state=True) == []


def test_a_plan_is_not_sealed_before_its_end(site: Site) -> None:
    book = site.freeze()
    assert kind_of_refusal(site, book) == "plan_not_ended"
    site.approve(book)
    attempt = site.open(book)
    assert kind_of_refusal(site, book) == "attempt_open"
    for host in ("web1", "web2"):
        site.begin(book, attempt, host)
    site.finish(book, attempt, "web1")
    site.finish(book, attempt, "web2", HostOutcome.UNREACHABLE)
    book.write(attempt.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    # A host that could not be reached may come back.
    assert kind_of_refusal(site, book) == "plan_not_ended"
    assert site.state.seals("alpha") == []


def test_a_plan_that_has_expired_is_sealed_as_such(site: Site) -> None:
    sealed = site.seal(site.freeze(expires=timedelta(seconds=-1)))
    assert sealed.seal.why == "expired"
    assert sealed.seal.hosts["not_attempted"] == 2


def test_nothing_is_added_to_a_sealed_plan_by_anything_here(site: Site) -> None:
    book = site.patched()
    site.seal(book)
    for act in (lambda: site.open(book), lambda: site.open(book, purpose="rollback"), lambda: site.approve(book)):
        with pytest.raises(FleetError, match="is sealed \\(seal 1\\)") as refused:
            act()
        assert refused.value.kind == "plan_sealed"
        assert "take a change back" in refused.value.remedy
    assert site.verify(state=True) == []


def test_what_is_written_unless_it_is_sealed_may_be_sealed_meanwhile(site: Site) -> None:
    book = site.patched()

    def put(content: bytes, *, seal_first: bool) -> str:
        if seal_first:
            site.seal(book)
        return site.state.put_report("alpha", book.plan, "report.html", content)

    assert unless_sealed(site.state, "alpha", book.plan, lambda: put(b"anew", seal_first=False))
    assert unless_sealed(site.state, "alpha", book.plan, lambda: put(b"later", seal_first=True)) is None
    assert unless_sealed(site.state, "alpha", book.plan, lambda: put(b"later", seal_first=False)) is None
    assert site.state.get_report("alpha", book.plan, "report.html") == b"anew"
    with pytest.raises(FleetError) as other:
        unless_sealed(site.state, "beta", book.plan, lambda: site.state.put_report("beta", book.plan, "x", b""))
    assert other.value.kind == "plan_missing"


def test_a_plan_whose_ledger_grew_after_its_seal_is_an_error(site: Site) -> None:
    book = site.patched()
    site.seal(book)
    path = site.folder / "state/tenants/alpha/plans" / book.plan / "ledger.jsonl"
    # By hand: the state itself takes no more.
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[-1])
    assert kind_of_refusal(site, book) == "sealed_plan_changed"


@pytest.mark.parametrize("moment", ["instructions", "_sign"], ids=["before it is hashed", "while it is signed"])
def test_a_ledger_that_grows_while_it_is_sealed_is_not_sealed(
    site: Site, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    book = site.patched()
    step = getattr(sealing, moment)

    def late(*given: object) -> object:
        book.write(0, None, Phase.DISTRIBUTE, EntryOutcome.OK, {"delivery": {}})
        return step(*given)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(sealing, moment, late)
        assert kind_of_refusal(site, book) == "ledger_moved"
    assert site.state.seals("alpha") == []
    site.seal(book)
    assert site.verify(state=True) == []


@pytest.mark.parametrize(
    ("write", "path"),
    [
        (lambda site, book: site.approve(book, "carol"), "ledger"),
        (lambda site, book: site.state.put_approval("alpha", book.plan, b"{}", ""), "approvals/2.json"),
        (lambda site, book: site.state.put_report("alpha", book.plan, "report.html", b"anew"), "reports/report.html"),
        (lambda site, book: site.state.put_report("alpha", book.plan, "report.json", b"{}"), "reports/report.json"),
    ],
    ids=["an approval", "an approval that is not recorded yet", "a report anew", "a report more"],
)
@pytest.mark.parametrize("where", ["folder", "database"])
def test_what_is_put_beside_a_plan_while_its_seal_is_signed_prevents_the_seal(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str, write: Callable[[Site, Book], object], path: str
) -> None:
    if where == "database":
        site.state = SpooledState(f"sqlite:///{site.folder}/state.db", site.folder / "spools", keep=lambda _order: None)
    book = site.patched()
    sign = sealing._sign

    def late(*given: Any) -> bytes:
        write(site, book)
        return sign(*given)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(sealing, "_sign", late)
        with pytest.raises(FleetError, match=path) as refused:
            site.seal(book)
    assert refused.value.kind == ("ledger_moved" if path == "ledger" else "plan_moved")
    assert site.state.seals("alpha") == []
    sealed = site.seal(book)
    # What stands there now is what was sealed, so the bundle can be made again.
    subprocess.run(["rm", "-r", str(sealed.bundle)], check=True)
    assert site.seal(book).root == sealed.root


def test_a_ledger_that_does_not_verify_is_not_sealed(site: Site) -> None:
    book = site.patched()
    path = site.folder / "state/tenants/alpha/plans" / book.plan / "ledger.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"user":"bob"', b'"user":"eve"'))
    assert kind_of_refusal(site, book) == "ledger_damaged"
    assert site.state.seals("alpha") == []


def test_a_key_that_auditors_would_not_know_seals_nothing(site: Site) -> None:
    book = site.patched()
    site.keys["alpha"], site.keys["mallory"] = site.keys["mallory"], site.keys["alpha"]
    assert kind_of_refusal(site, book, signers=site.signers) == "signer_unknown"
    assert site.state.seals("alpha") == []
    assert site.state.leases("alpha") == []


def test_a_tenant_without_a_key_is_named(tmp_path: Path) -> None:
    keys: Mapping[str, str] = {"alpha": "/keys/alpha", "gamma": ""}
    assert key_of(keys, "alpha") == key_of("/keys/alpha", "beta") == Path("/keys/alpha")
    for tenant in ("beta", "gamma"):
        with pytest.raises(FleetError, match=f"names no key for tenant {tenant}") as refused:
            key_of(keys, tenant)
        assert refused.value.kind == "key_unusable"


@pytest.fixture
def agent(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent that has the key of alpha, of which no private half lies on the disk any more."""
    socket = site.folder / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        done = 1
        while done and process.poll() is None:
            # 2: the agent does not listen yet.
            add = ["ssh-add", "-q", str(site.keys["alpha"])]
            done = subprocess.run(add, check=False, stderr=subprocess.DEVNULL).returncode
        os.unlink(site.keys["alpha"])
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.usefixtures("agent")
def test_a_key_that_only_an_agent_has_seals(site: Site) -> None:
    site.keys["alpha"] = site.keys["alpha"].with_suffix(".pub")
    site.seal(site.patched())
    assert site.verify() == []


def test_hosts_that_a_dead_attempt_left_half_changed_stay_protected_after_the_seal(site: Site) -> None:
    book = site.freeze(expires=timedelta(minutes=1), approval="none")
    attempt = site.open(book, process=dead_process())
    site.begin(book, attempt, "web1")
    book.write(attempt.number, None, Phase.CLOSE, EntryOutcome.FAILED, {})
    seal_plan(site.state, "alpha", book.plan, site.sealer("alpha"), utc_now() + timedelta(minutes=2))
    assert [lease.owner for lease in site.state.leases("alpha")] == [left_by(book.plan)]
    other, later = site.freeze(cycle="2026-12", approval="none"), utc_now() + timedelta(minutes=3)
    refuse_unfinished(site.state, "alpha", other.plan, {"host:web2"}, later)
    with pytest.raises(FleetError) as refused:
        refuse_unfinished(site.state, "alpha", other.plan, {"host:web1"}, later)
    assert refused.value.kind == "plan_unfinished"


def test_no_bundle_holds_a_word_of_another_tenant(site: Site) -> None:
    marks = {"alpha": "AAAA-of-alpha-", "beta": "BBBB-of-beta-"}
    bundles = {}
    for tenant, mark in marks.items():
        bundles[tenant] = [site.seal(site.patched(tenant, cycle, mark=mark)).bundle for cycle in ("2026-10", "2026-11")]
    for tenant, own in bundles.items():
        (foreign,) = (mark for other, mark in marks.items() if other != tenant)
        for bundle in own:
            texts = {**files(bundle), **{path: path.encode() for path in files(bundle)}}
            everything = b"\n".join(texts.values())
            assert marks[tenant].encode() in everything
            assert foreign.encode() not in everything
            assert f"seal@{({'alpha', 'beta'} - {tenant}).pop()}".encode() not in everything
