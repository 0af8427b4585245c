# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a report shows a framework: what it asks for, and what evidence stands for it. A part of the one model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """What evidence stands for a requirement."""

    EVIDENCED = "evidenced"
    PARTLY = "partly"
    MISSING = "missing"


@dataclass(frozen=True)
class Requirement:
    """A requirement of a framework in our words: what evidence stands, for which population, and what is missing."""

    id: str
    title: str
    standing: Standing
    evidence: tuple[str, ...]
    population: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Framework:
    """The same facts as one framework asks for them."""

    id: str
    title: str
    version: str
    requirements: tuple[Requirement, ...]
