# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state in a folder; docs/contracts.md shows its layout."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._canonical import canonical, digest_of_bytes, encoded
from ansible_collections.bankops.fleet.plugins.plugin_utils._state import files, leases, lines
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.interface import (
    Lease,
    PlanWriter,
    State,
    baseline_missing,
    cycle_missing,
    plan_missing,
    report_missing,
    seal_exists,
    seal_gap,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.names import (
    check_cycle,
    check_digest,
    check_name,
    check_report,
    cycle_order,
    encode_host,
    is_report,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._state.sealed import (
    REPORTS,
    SEAL,
    SUMS,
    closed_by,
    digests_of,
    files_beside,
    plan_sealed,
    report_sealed,
)

STOP_FILE = "STOP"


class FolderState(State):
    """The state below ``root``, for its owner alone. A network file system must have working locks (NFS 4)."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # For each tenant the plans that its seals close, as far as they were read: what a seal says never changes.
        self._closed: dict[str, list[str | None]] = {}

    @contextmanager
    def write_plan(self, tenant: str) -> Iterator[PlanWriter]:
        plans = self._tenant(tenant) / "plans"
        folder = plans / f".new-{secrets.token_hex(8)}"
        with files.disk_errors():
            files.make_folders(folder / "hosts")
            try:
                yield _FolderPlanWriter(folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def read_head(self, tenant: str, plan: str) -> tuple[bytes, str]:
        return self._read(self._plan(tenant, plan) / "plan.json")

    def read_host(self, tenant: str, plan: str, host: str) -> tuple[bytes, str]:
        return self._read(self._plan(tenant, plan) / "hosts" / f"{encode_host(host)}.json")

    def tenants(self) -> list[str]:
        with files.disk_errors():
            return sorted(path.parent.name for path in (self._root / "tenants").glob("[!.]*/plans"))

    def plans(self, tenant: str) -> list[str]:
        with files.disk_errors():
            return sorted(path.parent.name for path in (self._tenant(tenant) / "plans").glob("[!.]*/plan.json"))

    def put_cycle(self, cycle: str, plans: Iterable[dict[str, str]]) -> dict[str, Any]:
        path = self._root / "cycles" / f"{check_cycle(cycle)}.json"
        given = {check_name(entry["tenant"], "tenant"): check_digest(entry["plan"]) for entry in plans}
        with self._exclusive(path):
            before = files.read_json(path)["plans"] if path.exists() else []
            merged = {entry["tenant"]: entry["plan"] for entry in before} | given
            document = {"cycle": cycle, "plans": [{"tenant": t, "plan": p} for t, p in merged.items()]}
            files.replace(path, canonical(document))
        return document

    def get_cycle(self, cycle: str) -> dict[str, Any]:
        path = self._root / "cycles" / f"{check_cycle(cycle)}.json"
        try:
            with files.disk_errors():
                document = files.read_json(path)
        except FleetError as problem:
            if not isinstance(problem.__cause__, FileNotFoundError):
                raise
            raise cycle_missing(cycle, str(self._root)) from problem
        return document

    def cycles(self) -> list[str]:
        with files.disk_errors():
            names = [path.stem for path in (self._root / "cycles").glob("[!.]*.json")]
        return sorted(map(check_cycle, names), key=cycle_order)

    def append(self, tenant: str, plan: str, build: Callable[[bytes | None], bytes]) -> bytes:
        def build_unless_sealed(last: bytes | None) -> bytes:
            # While the ledger is locked, so that no seal comes between this look and the line.
            self._refuse_sealed(tenant, plan)
            return build(last)

        with files.disk_errors():
            return lines.append_line(self._ledger(tenant, plan), build_unless_sealed)

    def entries(self, tenant: str, plan: str) -> Iterator[bytes]:
        with files.disk_errors():
            return lines.whole_lines(self._ledger(tenant, plan))

    def torn(self, tenant: str, plan: str) -> list[bytes]:
        with files.disk_errors():
            return lines.torn_ends(self._ledger(tenant, plan))

    def acquire(
        self,
        tenant: str,
        names: Iterable[str],
        owner: str,
        *,
        seconds: float,
        now: datetime,
        is_dead: Callable[[str], bool],
    ) -> Lease:
        folder = self._leases(tenant)
        with self._exclusive(folder):
            files.make_folders(folder)
            return leases.acquire(folder, Lease(tenant, frozenset(names), owner, now, now, seconds), is_dead)

    def renew(self, tenant: str, owner: str, *, now: datetime) -> None:
        with files.disk_errors():
            leases.renew(self._leases(tenant), tenant, owner, now)

    def release(self, tenant: str, owner: str) -> None:
        with files.disk_errors():
            leases.release(self._leases(tenant), owner)

    def leases(self, tenant: str) -> list[Lease]:
        with files.disk_errors():
            return leases.read_all(self._leases(tenant), tenant)

    def put_approval(self, tenant: str, plan: str, statement: bytes, signature: str) -> None:
        folder = self._existing_plan(tenant, plan) / "approvals"
        with self._held(tenant, plan):
            self._refuse_sealed(tenant, plan)
            files.make_folders(folder)
            number = 1
            # The signature takes the number, so that a statement is never seen without it.
            while not files.create(folder / f"{number}.sig", signature.encode()):
                number += 1
            files.replace(folder / f"{number}.json", statement)

    def approvals(self, tenant: str, plan: str) -> list[tuple[bytes, str]]:
        folder = self._existing_plan(tenant, plan) / "approvals"
        found = []
        with files.disk_errors():
            for path in sorted(folder.glob("[0-9]*.json"), key=lambda path: (len(path.name), path.name)):
                signature = path.with_suffix(".sig")
                text = signature.read_text(encoding="utf-8", errors="replace") if signature.is_file() else ""
                found.append((path.read_bytes(), text))
        return found

    def put_baseline(self, tenant: str, plan: str, host: str, host_state: dict[str, Any]) -> None:
        path = self._baseline(tenant, plan, host)
        with files.disk_errors():
            files.make_folders(path.parent)
            files.replace(path, canonical(host_state))

    def get_baseline(self, tenant: str, plan: str, host: str) -> dict[str, Any]:
        path = self._baseline(tenant, plan, host)
        if not path.is_file():
            raise baseline_missing(host, str(path))
        return files.read_json(path)

    def first_seen(self, tenant: str, keys: Iterable[str], now: date) -> dict[str, str]:
        path = self._tenant(tenant) / "first_seen.json"
        with self._exclusive(path):
            dates: dict[str, str] = files.read_json(path) if path.exists() else {}
            new = {key: now.isoformat() for key in keys if key not in dates}
            if new:
                dates.update(new)
                files.replace(path, canonical(dates))
        return dates

    def stop_requested(self, tenant: str) -> str | None:
        for folder in (self._root, self._tenant(tenant)):
            # lexists: a dangling link asks to stop as well.
            if os.path.lexists(folder / STOP_FILE):
                return str(folder / STOP_FILE)
        return None

    def request_stop(self, tenant: str, reason: str) -> str:
        path = self._tenant(tenant) / STOP_FILE
        with files.disk_errors():
            files.create(path, f"{reason}\n".encode())
        return str(path)

    def put_report(self, tenant: str, plan: str, name: str, content: bytes) -> str:
        path = self._report(tenant, plan, name)
        with self._held(tenant, plan):
            self._refuse_sealed_report(tenant, plan, name)
            files.make_folders(path.parent)
            files.replace(path, content)
        return str(path)

    def drop_report(self, tenant: str, plan: str, name: str) -> None:
        path = self._report(tenant, plan, name)
        with self._held(tenant, plan):
            self._refuse_sealed_report(tenant, plan, name)
            if path.is_file():
                path.unlink()
                files.sync(path.parent)

    def get_report(self, tenant: str, plan: str, name: str) -> bytes:
        path = self._report(tenant, plan, name)
        with files.disk_errors():
            if path.is_file():
                return path.read_bytes()
        raise report_missing(str(path))

    def reports(self, tenant: str, plan: str) -> list[str]:
        folder = self._existing_plan(tenant, plan)
        with files.disk_errors():
            own = [path for path in folder.iterdir() if is_report(path.name)]
            found = [each for path in own for each in (path.iterdir() if path.is_dir() else (path,)) if each.is_file()]
        return sorted(filter(is_report, (path.relative_to(folder).as_posix() for path in found)))

    def evidence_dir(self, tenant: str, plan: str, owner: str) -> Path:  # noqa: ARG002  all write to the same
        return self._root

    def put_seal(self, tenant: str, number: int, contents: dict[str, bytes]) -> None:
        folder = self._seals(tenant)
        with files.disk_errors(), self._exclusive(folder):
            files.make_folders(folder)
            if (folder / f"{number}").exists():
                raise seal_exists(tenant, number)
            if number < 1 or (number > 1 and not (folder / f"{number - 1}").exists()):
                raise seal_gap(tenant, number)
            new = folder / f".new-{secrets.token_hex(8)}"
            try:
                files.make_folders(new)
                for name, content in contents.items():
                    files.write_new(new / check_name(name, "name of a file"), content)
                files.sync(new)
                with self._plan_as_sealed(tenant, contents):
                    new.rename(folder / f"{number}")
                    files.sync(folder)
            finally:
                shutil.rmtree(new, ignore_errors=True)

    @contextmanager
    def _plan_as_sealed(self, tenant: str, contents: dict[str, bytes]) -> Iterator[None]:
        """Keep what belongs to the plan that a seal closes from changing, if it is what the seal says."""
        closed = closed_by(contents)
        if closed is None:
            yield
            return
        with lines.held(self._ledger(tenant, closed.plan)) as (count, last):
            closed.refuse_other_ledger(tenant, count, last)
            own = (tenant, closed.plan)
            beside = files_beside(self.approvals(*own), self.reports(*own), partial(self.get_report, *own))
            closed.refuse_other_files(tenant, beside)
            yield

    @contextmanager
    def _held(self, tenant: str, plan: str) -> Iterator[None]:
        """Keep a plan from being sealed meanwhile: whoever seals it holds its ledger, too."""
        with files.disk_errors(), files.locked(self._ledger(tenant, plan)):
            yield

    def _refuse_sealed(self, tenant: str, plan: str) -> None:
        number = self._seal_of(tenant, plan)
        if number is not None:
            raise plan_sealed(tenant, plan, number)

    def _refuse_sealed_report(self, tenant: str, plan: str, name: str) -> None:
        number = self._seal_of(tenant, plan)
        sums = self._seals(tenant) / f"{number}" / SUMS
        if number is not None and sums.is_file() and f"{REPORTS}/{name}" in digests_of(sums.read_bytes()):
            raise report_sealed(tenant, plan, name)

    def _seal_of(self, tenant: str, plan: str) -> int | None:
        """The number of the seal that closes a plan. Who holds its ledger knows that it stays so."""
        known = self._closed.setdefault(tenant, [])
        while (seal := self._seals(tenant) / f"{len(known) + 1}").is_dir():
            path = seal / SEAL
            closed = closed_by({SEAL: path.read_bytes()} if path.is_file() else {})
            known.append(closed.plan if closed else None)
        return known.index(plan) + 1 if plan in known else None

    def seals(self, tenant: str) -> list[dict[str, bytes]]:
        with files.disk_errors():
            folders = sorted(self._seals(tenant).glob("[0-9]*"), key=lambda path: int(path.name))
            return [{path.name: path.read_bytes() for path in sorted(folder.iterdir())} for folder in folders]

    def _tenant(self, tenant: str) -> Path:
        return self._root / "tenants" / check_name(tenant, "tenant")

    def _plan(self, tenant: str, plan: str) -> Path:
        return self._tenant(tenant) / "plans" / check_digest(plan)

    def _seals(self, tenant: str) -> Path:
        return self._tenant(tenant) / "seals"

    def _report(self, tenant: str, plan: str, name: str) -> Path:
        return self._existing_plan(tenant, plan) / check_report(name)

    def _existing_plan(self, tenant: str, plan: str) -> Path:
        folder = self._plan(tenant, plan)
        if not (folder / "plan.json").is_file():
            raise plan_missing(str(folder))
        return folder

    def _baseline(self, tenant: str, plan: str, host: str) -> Path:
        return self._existing_plan(tenant, plan) / "baselines" / f"{encode_host(host)}.json"

    def _ledger(self, tenant: str, plan: str) -> Path:
        return self._existing_plan(tenant, plan) / "ledger.jsonl"

    def _leases(self, tenant: str) -> Path:
        return self._tenant(tenant) / "leases"

    def _read(self, path: Path) -> tuple[bytes, str]:
        try:
            with files.disk_errors():
                return path.read_bytes(), str(path)
        except FleetError as problem:
            if isinstance(problem.__cause__, FileNotFoundError):
                raise plan_missing(str(path)) from problem
            raise

    @contextmanager
    def _exclusive(self, path: Path) -> Iterator[None]:
        """Lock a file that is replaced by way of another that is not: a lock on itself would stay with the old one."""
        with files.disk_errors():
            files.make_folders(path.parent)
            with files.locked(path.with_name(f".{path.name}.lock")):
                yield


class _FolderPlanWriter(PlanWriter):
    """Collects a plan in a folder beside the others, and gives it its name at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._digests: dict[str, str] = {}

    def put_host(self, host: str, document: dict[str, Any]) -> str:
        content = encoded(document)
        # Synced at the end with all others, which costs the disk one wait instead of one for each host.
        files.write_new(self._path(host), content, safe=False)
        self._digests[host] = digest_of_bytes(content)
        return self._digests[host]

    def get_host(self, host: str) -> dict[str, Any]:
        return files.read_json(self._path(host))

    def finish(self, head: dict[str, Any]) -> str:
        if {host: entry["digest"] for host, entry in head["hosts"].items()} != self._digests:
            raise ValueError("The head of a plan names exactly the documents that were put.")
        content = canonical(head)
        plan = digest_of_bytes(content)
        published = self._folder.parent / plan
        if (published / "plan.json").is_file():
            return plan
        for host in self._digests:
            files.sync(self._path(host))
        files.write_new(self._folder / "plan.json", content)
        files.sync(self._folder / "hosts")
        files.sync(self._folder)
        try:
            self._folder.rename(published)
        except OSError:
            # Somebody else published the same plan between the look and the rename.
            if not (published / "plan.json").is_file():
                raise
        files.sync(published.parent)
        return plan

    def _path(self, host: str) -> Path:
        return self._folder / "hosts" / f"{encode_host(host)}.json"
