# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scan is packed without loss, and what is no packed scan is refused."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest

from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.packing import pack, unpacker
from ansible_collections.bankops.fleet.tests.fakes.scans import OPENSSL, scan

CHANGES = [{**OPENSSL, "name": f"library-ü-{number}"} for number in range(100)]
NO_OBJECT = base64.b64encode(zlib.compress(b"[]")).decode()


def test_a_packed_scan_is_the_scan_and_a_fraction_of_its_size() -> None:
    found = scan(transaction=CHANGES)
    assert unpacker()(pack(found)) == found
    assert sum(map(len, pack(found).values())) < len(str(found)) / 10


def test_hosts_with_the_same_updates_share_them_and_nothing_else() -> None:
    unpack = unpacker()
    first, second = (unpack(pack(scan(machine, CHANGES, locks=[machine]))) for machine in ("m1", "m2"))
    assert first["packages"]["pending"] is second["packages"]["pending"]
    assert [found["state"]["machine_id"] for found in (first, second)] == ["m1", "m2"]
    assert [found["packages"]["locks"] for found in (first, second)] == [["m1"], ["m2"]]


@pytest.mark.parametrize(
    "answer", [{}, {"packages": None}, {"packages": [], "state": 1}, {"packages": {"manager": None}}]
)
def test_what_a_host_left_out_of_its_answer_is_missing_afterwards_too(answer: dict[str, Any]) -> None:
    assert unpacker()(pack(answer)) == answer


@pytest.mark.parametrize("text", ["", "no base64!", base64.b64encode(b"no zlib").decode(), NO_OBJECT, None, 7])
@pytest.mark.parametrize("part", ["updates", "scan"])
def test_what_is_no_packed_scan_is_refused(part: str, text: object) -> None:
    with pytest.raises(ValueError, match="no packed scan"):
        unpacker()({**pack(scan()), part: text})


@pytest.mark.parametrize("packed", ["text", None, {}, {"updates": "eJyrrgUAAXUA+Q=="}])
def test_a_part_that_is_not_there_is_refused(packed: object) -> None:
    with pytest.raises(ValueError, match="no packed scan"):
        unpacker()(packed)


def test_numbers_and_texts_that_json_has_not_are_refused() -> None:
    """A host could answer with them; a document that has them could not be read again."""
    for value in (float("nan"), float("inf"), "\ud800"):
        with pytest.raises(ValueError, match="no packed scan"):
            unpacker()(pack({**scan(), "checks": [value]}))
