# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every fault that was tried is described, and no link of the documents leads nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FAULTS = [f"fault-{number}" for number in range(1, 26)]
ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
EXPLAINED_IN = (
    *("when-things-go-wrong.md", "approval.md", "auditors.md", "coverage.md", "inventory.md", "load-balancer.md"),
    *("reports.md", "state.md"),
)
NEVER_SHOWN = {"signature_bad"}  # becomes approval_invalid or opening_invalid
ELSEWHERE = re.compile(r"[a-z]+:")


def prose(document: Path) -> str:
    """The document without its blocks of code and its literals, in which nothing is a link or a heading."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda literal: re.sub(r"[\[\]()#]", "", literal.group()), text)


def anchors(document: Path) -> list[str]:
    """Where a link can lead to in a document: its own anchors, and its headings as forges write them."""
    text = prose(document)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return ANCHOR.findall(text) + [
        re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file_and_an_anchor(document: Path) -> None:
    lost = []
    for link in LINK.findall(prose(document)):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_every_fault_has_one_section_and_a_row_of_the_table() -> None:
    page = ROOT / "docs" / "when-things-go-wrong.md"
    text = prose(page)
    sections = re.findall(r'^<a id="(fault-\d+)"></a>\n\n### .+$', text, flags=re.MULTILINE)
    rows = re.findall(r"^\|.*\| \[\d+\]\(#(fault-\d+)\) \|$", text, flags=re.MULTILINE)
    assert sorted(sections) == sorted(FAULTS)
    assert rows == sections, "the table has the faults in the order of the page"


def kinds_of_failures() -> Iterator[str]:
    """The kinds of all FleetErrors: literals, also where a function takes the kind from its callers."""
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        takes_kind = {
            node.name: [argument.arg for argument in node.args.args if argument.arg != "self"].index("kind")
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and "kind" in [argument.arg for argument in node.args.args]
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = called(call)
            kinds = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
            if name in takes_kind:
                kinds += call.args[takes_kind[name] :][:1]
            if name == "FleetError" or name in takes_kind:
                literals = [part for kind in kinds for part in ast.walk(kind) if isinstance(part, ast.Constant)]
                yield from (literal.value for literal in literals if isinstance(literal.value, str))


def called(call: ast.Call) -> str:
    """The name of what is called, also of a method."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_every_kind_of_failure_is_explained() -> None:
    pages = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in EXPLAINED_IN)
    assert {kind for kind in kinds_of_failures() if f"`{kind}`" not in pages} - NEVER_SHOWN == set()
