# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the ledger as a by-product of the plays: no extra task, no extra round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
name: evidence
type: notification
short_description: Writes the hash-chained ledger of a patch cycle
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - Appends an entry to the ledger of a plan for every result of a task whose variables carry C(fleet_phase),
    on every host that has an open attempt on a plan.
  - It learns which attempts are open from the result of M(bankops.fleet.patch_attempt), and writes into each of their
    ledgers that it listens. The changing modules of this collection refuse to work when that entry is missing.
  - Only the modules of this collection record what a plan or a report relies on. What any other module returns may
    come from a managed host, and is recorded as a hook, with its message and exit status alone.
  - Everything is redacted before it is written. Of a task under C(no_log) only that it ran is recorded.
  - As long as the process lives, a thread gives signs of life for the attempts that it has open, so that nobody else
    takes their hosts or their clusters. When somebody did nevertheless, that is an error, and no further host is begun.
  - Where C(fleet_store_url) names a database, it writes into a spool below C(fleet_state_dir), and tasks ship what
    stands there. The callback itself talks to no database.
  - When an entry cannot be written, no further host is begun, and the hosts whose evidence is lost come out as
    C(failed).
requirements:
  - Enabled in configuration, C(callbacks_enabled = bankops.fleet.evidence).
options: {}
"""

import os
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

from ansible_collections.bankops.fleet.plugins.plugin_utils._callback import (
    content_and_fields,
    host_and_task,
    module_of,
    phase_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.heartbeat import Heartbeat
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.provenance import collection_version
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.recorder import Recorder
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.redaction import collect_secrets
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.results import (
    OPENS_ATTEMPTS,
    TaskResult,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._store.spool import callback_state

# Values of variables that were encrypted one by one, by the name of their class in ansible-core 2.18 and from 2.19 on.
VAULTED = frozenset({"AnsibleVaultEncryptedUnicode", "EncryptedString"})


class CallbackModule(CallbackBase):
    """Passes results on to the recorder, which knows nothing of Ansible."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "bankops.fleet.evidence"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: t.Any = None) -> None:
        super().__init__(display=display)
        self._recorder = Recorder(
            open_state=callback_state,
            process=os.getpid(),
            version=collection_version(Path(__file__).parents[2]),
            complain=self._complain,
        )
        self._heartbeat = Heartbeat(callback_state)
        self._play: t.Any = None
        self._started: dict[tuple[str, str], float] = {}
        self._common_secrets: frozenset[str] = frozenset()
        self._secrets_of_host: dict[str, frozenset[str]] = {}

    def set_play_context(self, play_context: t.Any) -> None:
        """The passwords that were asked for at the prompt."""
        prompted = {"password": play_context.password, "become_pass": play_context.become_pass}
        self._common_secrets |= collect_secrets(prompted)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        # Fires once for each batch of a play with `serial`.
        self._play = play
        self._secrets_of_host.clear()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._started[(host.get_name(), task._uuid)] = time.monotonic()
        if module_of(task) == OPENS_ATTEMPTS:
            self._heartbeat.expect_change()
        self._tell_of_heartbeat()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._take(result, EntryOutcome.CHANGED if result.is_changed() else EntryOutcome.OK)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._take(result, EntryOutcome.FAILED, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._take(result, EntryOutcome.UNREACHABLE)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._take(result, EntryOutcome.SKIPPED)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002  Ansible passes it
        self._heartbeat.end()
        self._tell_of_heartbeat()
        for sentence in self._recorder.lost:
            self._complain(f"not recorded: {sentence}")

    def _complain(self, sentence: str) -> None:
        self._display.error(f"bankops.fleet.evidence: {sentence}")

    def _tell_of_heartbeat(self) -> None:
        for sentence in self._heartbeat.complaints():
            self._complain(sentence)

    def _take(self, result: t.Any, outcome: EntryOutcome, *, ignored: bool = False) -> None:
        self._tell_of_heartbeat()
        host, task = host_and_task(result)
        name, module, phase = host.get_name(), module_of(task), phase_of(task)
        started = self._started.pop((name, task._uuid), None)
        if not self._recorder.concerns(module, phase):
            return
        content, fields = content_and_fields(result)
        taken = TaskResult(
            host=name,
            task=task.get_name(),
            module=module,
            phase=phase,
            outcome=outcome,
            ignored=ignored,
            check_mode=bool(fields.get("check_mode")),
            seconds=None if started is None else time.monotonic() - started,
            result=content,
        )
        if module == OPENS_ATTEMPTS:
            self._heartbeat.follow(content)
        self._recorder.take(taken, self._secrets(host))

    def _secrets(self, host: t.Any) -> frozenset[str]:
        """The secret values among the variables of a host. Looked up once a play, for it takes milliseconds."""
        name = host.get_name()
        if name not in self._secrets_of_host:
            self._secrets_of_host[name] = collect_secrets(
                self._variables(host), lambda value: type(value).__name__ in VAULTED
            )
        return self._common_secrets | self._secrets_of_host[name]

    def _variables(self, host: t.Any) -> t.Mapping[str, t.Any]:
        found: t.Mapping[str, t.Any] = self._play.get_variable_manager().get_vars(
            play=self._play, host=host, include_hostvars=False
        )
        return found
