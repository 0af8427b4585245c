# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frameworks as data: which evidence checks answer what each requirement asks. Read on the controller only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.problems import did_you_mean, show
from ansible_collections.bankops.fleet.plugins.plugin_utils._plan.specification import Fault, check_all
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.document import (
    Document,
)
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.evidence_checks import CHECKS, Finding
from ansible_collections.bankops.fleet.plugins.plugin_utils._report.framework_model import (
    Framework,
    Requirement,
    Standing,
)

CATALOGUE = Path(__file__).parents[3] / "catalogue" / "evidence"

_TEXT = {"type": "str", "required": True}
_OPTIONS: dict[str, dict[str, Any]] = {
    "id": _TEXT,
    "title": _TEXT,
    "version": _TEXT,
    "requirements": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {"id": _TEXT, "asks": _TEXT, "checks": {"type": "list", "elements": "str", "required": True}},
    },
}


def read_framework(path: Path) -> dict[str, Any]:
    """A framework's file, held against its shape.

    Raises FleetError of kind ``bad_framework`` that names file, key, value and what would be right.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as problem:
        raise _bad(path, [Fault("the file", "", f"cannot be read: {show(str(problem))}", "")]) from problem
    if not isinstance(content, Mapping):
        raise _bad(path, [Fault("the file", "", "must be a mapping", f"Its keys are {', '.join(_OPTIONS)}.")])
    values, faults = check_all(_OPTIONS, "", content)
    faults = faults or [*_unknown_checks(values["requirements"])]
    if values.get("id") != path.stem:
        faults.append(Fault("id", show(values.get("id")), "is not the name of its file", f"Write {path.stem}."))
    if faults:
        raise _bad(path, faults)
    return values


def _unknown_checks(requirements: Iterable[Mapping[str, Any]]) -> Iterable[Fault]:
    seen: set[str] = set()
    for index, requirement in enumerate(requirements):
        key = f"requirements[{index}]"
        if requirement["id"] in seen:
            yield Fault(f"{key}.id", show(requirement["id"]), "is there twice", "")
        seen.add(requirement["id"])
        if not requirement["checks"]:
            yield Fault(f"{key}.checks", "[]", "names no check", "Name at least one, or leave the requirement out.")
        for position, name in enumerate(requirement["checks"]):
            if name not in CHECKS:
                remedy = did_you_mean(name, CHECKS) or f"The checks are {', '.join(CHECKS)}."
                yield Fault(f"{key}.checks[{position}]", show(name), "is no check", remedy)


def _bad(path: Path, faults: Iterable[Fault]) -> FleetError:
    lines = [f"{fault.key}: {fault.value}: {fault.what}. {fault.remedy}".rstrip() for fault in faults]
    return FleetError(f"{path}: {'; '.join(lines)}", kind="bad_framework", remedy="Correct the file.")


@cache
def read_catalogue() -> tuple[dict[str, Any], ...]:
    """All frameworks of the collection, by the names of their files. Raises FleetError as ``read_framework``."""
    return tuple(read_framework(path) for path in sorted(CATALOGUE.glob("*.yml")))


def framework_views(document: Document) -> tuple[Framework, ...]:
    """The facts of a document as each framework asks for them."""
    found = {name: check(document) for name, check in CHECKS.items()}
    plans = "1 plan" if len(document.plans) == 1 else f"{len(document.plans)} plans"
    population = f"{len(document.hosts)} hosts of {plans}, tenants {', '.join(document.scope.tenants)}"
    return tuple(
        Framework(
            framework["id"],
            framework["title"],
            framework["version"],
            tuple(_requirement(each, found, population) for each in framework["requirements"]),
        )
        for framework in read_catalogue()
    )


def _requirement(asked: Mapping[str, Any], found: Mapping[str, Finding], population: str) -> Requirement:
    findings = [found[name] for name in asked["checks"]]
    evidence = tuple(dict.fromkeys(sentence for each in findings for sentence in each.evidence))
    missing = tuple(dict.fromkeys(sentence for each in findings for sentence in each.missing))
    standing = Standing.EVIDENCED if evidence and not missing else Standing.PARTLY if evidence else Standing.MISSING
    return Requirement(asked["id"], asked["asks"], standing, evidence, population, missing)
