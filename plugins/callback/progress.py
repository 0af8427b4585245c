# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows a run while it goes on: a live view on a terminal, a few plain lines anywhere else."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Shows waves, batches and hosts of a patch cycle while it runs
version_added: 0.1.0
author: bankops.fleet contributors (@bankops)
description:
  - On a terminal a few lines at the bottom show the waves, the batches and the hosts in work with their phase, how long
    they take and how long they are expected to, the outcomes so far and the failure budget. What else is printed goes
    above them.
  - Without a terminal, in AWX and in continuous integration there are plain lines alone, one for each host that comes
    to its outcome, for each batch that begins and for each wave that is done, and a summary at the end.
  - Failures are shown at once and in full. Changes, the messages of M(ansible.builtin.debug), diffs, warnings and
    deprecations are shown as P(ansible.builtin.default#callback) shows them.
  - With C(-v) everything is shown that P(ansible.builtin.default#callback) shows, beside the lines of this one.
  - Nothing that a host or an inventory says reaches the terminal as a control character. Longer texts are shown with
    their beginning and their end.
requirements:
  - rich, for the live view
extends_documentation_fragment:
  - ansible.builtin.default_callback
  - ansible.builtin.result_format_callback
options:
  display_ok_hosts:
    description:
      - Whether results are shown that changed nothing. Where it is not set, they are shown with C(-v).
  display_skipped_hosts:
    description:
      - Whether skipped results are shown. Where it is not set, they are shown with C(-v).
  show_task_path_on_failure:
    description:
      - Whether a failure names the file and the line of its task.
    default: true
  live:
    description:
      - Whether a live view is shown where there is a terminal for it.
    type: bool
    default: true
    env:
      - name: FLEET_PROGRESS_LIVE
    ini:
      - section: callback_fleet_progress
        key: live
"""

import atexit
import os
import sys
import time
import typing as t
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ansible import constants, context
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils import color

from ansible_collections.bankops.fleet.plugins.plugin_utils._callback import (
    content_and_fields,
    host_and_task,
    module_of,
    phase_of,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._evidence.phases import EntryOutcome
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import printable
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.announcements import Announcements, listen
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.narrator import TOLD, Event, Line, Narrator, Told
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen import Screen, is_for_live_view
from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.screen_text import Coloured, data_for_screen
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.console import SHOWN_HOSTS

BY_VERBOSITY = frozenset(("display_ok_hosts", "display_skipped_hosts"))
"""Options of the default callback that follow C(-v) unless somebody has set them."""

WELL = constants.config.get_config_value("COLOR_OK")
CHANGED = constants.config.get_config_value("COLOR_CHANGED")
UNWELL = constants.config.get_config_value("COLOR_ERROR")

RECAP = {
    "ok": "ok",
    "changed": "changed",
    "unreachable": "unreachable",
    "failed": "failures",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}
"""Words of the recap, with Ansible's keys."""


class CallbackModule(DefaultCallback):
    """Adds lines and a live view to the default callback, and leaves out what is not worth a line.

    ansible-runner makes an instance only to look at it, and then derives its own callback from this class. So nothing
    happens before the playbook starts, and options that it does not know are as if they were not set.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "bankops.fleet.progress"

    def __init__(self) -> None:
        super().__init__()
        self._narrator = Narrator(time.monotonic())
        self._screen = Screen(self._display)
        self._last_play: str | None = None
        self._speaking = False
        self._summarised = False

    @property
    def _quiet(self) -> bool:
        return not self._display.verbosity

    def get_option(self, k: str, hostvars: t.Any = None) -> t.Any:  # noqa: ARG002  the name is Ansible's
        """What is shown that nobody need look at depends on ``-v``, unless it was set."""
        if k in BY_VERBOSITY and self._origins.get(k) == "default":
            return self._speaking or not self._quiet
        return super().get_option(k)

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        # Fires for each playbook of a command line.
        self._narrator, self._summarised = Narrator(time.monotonic()), False
        self._screen.take_over()
        if not (self._wants_live_view() and self._start_view()):
            listen(None)
        atexit.register(self._summarise)
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        name = printable(play.get_name().strip())
        with self._display._lock:
            self._narrator.board.play = name
        if not self._quiet:
            super().v2_playbook_on_play_start(play)
            return
        self._play = play
        # Fires once for each batch of a play with `serial`; under ansible-runner each of them has an id of its own.
        if name != self._last_play:
            self._last_play = name
            mark = " [CHECK MODE]" if play.check_mode and self.get_option("check_mode_markers") else ""
            self._display.display(f"PLAY [{name}]{mark}" if name else f"PLAY{mark}")

    def _task_start(self, task: t.Any, prefix: str | None = None) -> None:
        with self._display._lock:
            self._narrator.board.starts_task(task.get_name().strip())
        super()._task_start(task, prefix)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        super().v2_runner_on_start(host, task)
        if self._is_followed(task):
            with self._display._lock:
                lines = self._narrator.starts(_event(host, task))
            self._say(lines)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        changed = EntryOutcome.CHANGED if result.is_changed() else EntryOutcome.OK
        with self._told(result, changed) as told:
            if self._quiet and (told.whole or isinstance(host_and_task(result)[1], TaskInclude)):
                return
            with self._speaking_of(result):
                super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        with self._told(result, EntryOutcome.FAILED):
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        with self._told(result, EntryOutcome.UNREACHABLE):
            super().v2_runner_on_unreachable(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        with self._told(result, EntryOutcome.SKIPPED):
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        with self._speaking_of(result):
            super().v2_runner_item_on_ok(result)
        self._handle_warnings(content_and_fields(result)[0])

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if not self._quiet:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_async_poll(self, result: t.Any) -> None:
        if not self._quiet:
            super().v2_runner_on_async_poll(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._screen.end_view()
        self._summarise()
        self._recap(stats)
        if stats.custom and self.get_option("show_custom_stats"):
            self._custom_stats(stats.custom)
        if context.CLIARGS["check"] and self.get_option("check_mode_markers"):
            self._display.banner("DRY RUN")

    @staticmethod
    def host_label(result: t.Any) -> str:
        """The name of a host stays within its line."""
        return printable(DefaultCallback.host_label(result))

    def _get_diff(self, difflist: t.Any) -> str:
        # The colours of a diff stand within its text, so it is made printable before it gets them.
        return Coloured(super()._get_diff(data_for_screen(difflist)))

    def _handle_exception(self, result: t.Any, use_stderr: bool = False) -> None:
        # Ansible itself hides the result of a task under no_log, and shows the message of its failure.
        if "censored" not in result:
            super()._handle_exception(result, use_stderr)

    def _wants_live_view(self) -> bool:
        wanted = self.get_option("live") if self.has_option("live") else True
        return wanted and is_for_live_view(dict(os.environ), is_terminal=sys.stdout.isatty())

    def _start_view(self) -> bool:
        """Start the live view; False when the library for it is missing, which is said."""
        try:
            from ansible_collections.bankops.fleet.plugins.plugin_utils._progress.live import LiveView, Size
        except ImportError as problem:
            self._display.warning(f"bankops.fleet.progress: there is no live view: {problem}. Install rich.")
            return False
        board, announcements = self._narrator.board, Announcements()
        view = LiveView(board, coloured=color.ANSIBLE_COLOR)
        listen(announcements)

        def draw() -> list[str]:
            now = time.monotonic()
            for host, phase in announcements.read():
                board.goes_on(host, phase, now)
            # Not what COLUMNS says, which stays as it was when the window changes. A terminal may not know its size.
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
            return view.draw(Size(columns or 80, lines or 24), now)

        self._screen.start_view(draw)
        return True

    @contextmanager
    def _told(self, result: t.Any, how: EntryOutcome) -> Iterator[Told]:
        """Take a result in, and say what is to be said of it after what the default callback says."""
        (host, task), (content, fields) = host_and_task(result), content_and_fields(result)
        told = Told()
        if self._is_followed(task):
            check_mode = bool(fields.get("check_mode"))
            with self._display._lock:
                told = self._narrator.ends(_event(host, task), how, content, check_mode=check_mode)
        yield told
        # Of a result that is not shown, the default callback loses them.
        self._handle_warnings(content)
        self._say(told.lines)

    def _is_followed(self, task: t.Any) -> bool:
        """Whether anything of a task is shown here beside what the default callback shows."""
        return self._screen.has_view or module_of(task) in TOLD

    @contextmanager
    def _speaking_of(self, result: t.Any) -> Iterator[None]:
        """What a play has a message for is shown, as those of ansible.builtin.debug are."""
        self._speaking = bool(content_and_fields(result)[0].get("_ansible_verbose_always"))
        try:
            yield
        finally:
            self._speaking = False

    def _say(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._display.display(line.text, color=None if line.well else UNWELL)

    def _recap(self, stats: t.Any) -> None:
        """A line for each host, in one colour; of a large fleet without ``-v`` for those alone that did not go well."""
        self._display.banner("PLAY RECAP")
        all_counts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        many = self._quiet and len(all_counts) > SHOWN_HOSTS
        shown = {host: counts for host, counts in all_counts.items() if not many or _went_wrong(counts)}
        for host, counts in shown.items():
            figures = " ".join(f"{word}={counts[key]:<4}" for word, key in RECAP.items())
            well = CHANGED if counts["changed"] else WELL
            self._display.display(f"{printable(host):<26} : {figures}", color=UNWELL if _went_wrong(counts) else well)
        if len(shown) < len(all_counts):
            self._display.display(f"({len(all_counts) - len(shown)} hosts without a failure are not listed)")
        self._display.display("", screen_only=True)

    def _custom_stats(self, custom: t.Mapping[str, t.Any]) -> None:
        self._display.banner("CUSTOM STATS: ")
        for name in sorted(custom.keys() - {"_run"}):
            self._display.display(f"\t{name}: {self._on_one_line(custom[name])}")
        if "_run" in custom:
            self._display.display("", screen_only=True)
            self._display.display(f"\tRUN: {self._on_one_line(custom['_run'])}")
        self._display.display("", screen_only=True)

    def _on_one_line(self, data: t.Any) -> str:
        return str(self._dump_results(data, indent=1)).replace("\n", "")

    def _summarise(self) -> None:
        """Once: at the end of the run, or when it is interrupted."""
        if not self._summarised:
            self._summarised = True
            self._say(self._narrator.summary(time.monotonic()))


def _event(host: t.Any, task: t.Any) -> Event:
    return Event(host.get_name(), module_of(task), task.get_name().strip(), phase_of(task), time.monotonic())


def _went_wrong(counts: t.Mapping[str, int]) -> bool:
    return bool(counts["failures"] or counts["unreachable"])
