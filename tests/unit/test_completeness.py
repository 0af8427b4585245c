# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing public is without a test, a description and its place; what grew too large or too local is found here."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
PUBLIC_PLUGINS = ("action", "callback", "filter", "inventory", "test")
RUNS_ON_HOSTS = ("plugins/module_utils", "plugins/modules")
TESTED_BY = ("tests/unit", "tests/integration", "extensions/molecule")
# Evaluated at run time, these can only be subscripted from Python 3.9 on; vermin does not see it.
BUILTIN_COLLECTIONS = {"dict", "frozenset", "list", "set", "tuple", "type"}


def names(folder: str) -> list[str]:
    """The public names of the Python files of ``plugins/<folder>``."""
    return sorted(path.stem for path in (ROOT / "plugins" / folder).glob("[!_]*.py"))


MODULES = names("modules")
ROLES = sorted(path.name for path in (ROOT / "roles").glob("[!.]*") if path.is_dir())
PLUGINS = [(kind, name) for kind in PUBLIC_PLUGINS for name in names(kind)]
PYTHON_FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "plugins").rglob("*.py"))


def load(path: str) -> Any:
    """The content of a YAML file of the collection."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def tracked_files() -> list[Path]:
    """All files that git knows or would add, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


@pytest.fixture(scope="module")
def texts_of_tests() -> dict[Path, str]:
    """What every test but this one says."""
    files = (path for folder in TESTED_BY for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".yml"})
    return {path: path.read_text(encoding="utf-8") for path in files if path != Path(__file__).resolve()}


def is_named(name: str, texts: dict[Path, str]) -> bool:
    """Whether a test calls it by its full name, imports it, or is named after it; the bare word is not enough."""
    call = re.compile(
        rf"bankops\.fleet\.{name}\b|plugins[./]\w+[./]{name}\b"
        rf"|fleet\.plugins\.\w+ import (?:\([^)]*|[^#\n(]*)\b{name}\b"
    )
    return any(path.stem == f"test_{name}" or call.search(text) for path, text in texts.items())


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_tested(module: str, texts_of_tests: dict[Path, str]) -> None:
    assert is_named(module, texts_of_tests), f"no test in {TESTED_BY} names the module {module}"


@pytest.mark.parametrize(("kind", "name"), PLUGINS)
def test_every_public_plugin_is_tested(kind: str, name: str, texts_of_tests: dict[Path, str]) -> None:
    assert is_named(name, texts_of_tests), f"no test in {TESTED_BY} names the {kind} plugin {name}"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_says_what_it_takes_and_has_a_scenario(role: str) -> None:
    needed = [
        f"roles/{role}/meta/argument_specs.yml",
        f"roles/{role}/meta/main.yml",
        f"roles/{role}/README.md",
        f"extensions/molecule/{role}/molecule.yml",
        f"extensions/molecule/{role}/converge.yml",
        f"extensions/molecule/{role}/verify.yml",
    ]
    assert [path for path in needed if not (ROOT / path).is_file()] == []


def test_every_scenario_belongs_to_a_role() -> None:
    scenarios = {path.parent.name for path in (ROOT / "extensions/molecule").glob("*/molecule.yml")}
    assert scenarios - set(ROLES) == set()


def test_every_action_plugin_is_documented_by_its_module() -> None:
    assert set(names("action")) - set(MODULES) == set()


def test_the_action_group_holds_every_module() -> None:
    group = load("meta/runtime.yml")["action_groups"]["fleet"]
    assert sorted(group) == [f"bankops.fleet.{module}" for module in MODULES]


@pytest.mark.parametrize("path", PYTHON_FILES)
def test_no_file_is_longer_than_one_can_hold_in_mind(path: str) -> None:
    lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{path} has {lines} lines; split it by subject"


@pytest.mark.parametrize("path", [path for path in PYTHON_FILES if path.startswith(RUNS_ON_HOSTS)])
def test_what_runs_on_hosts_subscripts_no_builtin_where_it_is_evaluated(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    annotations: set[int] = set()
    for node in ast.walk(tree):
        of_arguments = isinstance(node, (ast.arg, ast.AnnAssign)) and node.annotation
        of_result = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns
        for annotation in (of_arguments, of_result):
            if annotation:
                annotations.update(id(part) for part in ast.walk(annotation))
    evaluated = [
        f"{path}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in BUILTIN_COLLECTIONS
        and id(node) not in annotations
    ]
    assert evaluated == []


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    # Written apart, so that this file does not find itself.
    local = [r"/home/" + r"[a-z][\w.-]*/", r"/Users/" + r"\w[\w.-]*/"]
    if len(ROOT.parts) > 2:
        local.append(re.escape(str(ROOT)) + r"(?![\w-])")
    pattern = re.compile("|".join(local))
    found = []
    for path in tracked_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{path.relative_to(ROOT)}:{number}: {match.group()}"
            for number, line in enumerate(text.splitlines(), start=1)
            if (match := pattern.search(line))
        ]
    assert found == []
