# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the artifact and judge it as Galaxy and Automation Hub do, with galaxy-importer.

The importer reports most of what it finds as a warning and ends with status 0; here every warning is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ARTIFACTS = ROOT / ".cache" / "artifact"
# ansible-test has a lane of its own, without the importer's container image.
CONFIGURATION = """\
[galaxy-importer]
run_ansible_test = False
run_flake8 = False
ansible_local_tmp = {temporary}/ansible
"""
# What is for development only must not be shipped; what users need must be.
UNWANTED = re.compile(
    r"^(\.[^/]|lab/|tests/|inventories/lab/|extensions/molecule/|Makefile|pyproject\.toml|requirements-dev)"
)
WANTED = (
    "README.md",
    "LICENSE",
    "meta/runtime.yml",
    "meta/execution-environment.yml",
    "requirements.txt",
    "bindep.txt",
)


def build() -> Path:
    """Build the collection and return the artifact's path."""
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    subprocess.run(
        [str(BIN / "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(ARTIFACTS)],
        cwd=ROOT,
        check=True,
    )
    (artifact,) = ARTIFACTS.glob("bankops-fleet-*.tar.gz")
    return artifact


def problems_of_content(artifact: Path) -> list[str]:
    """What the artifact holds and should not, and the other way round."""
    with tarfile.open(artifact) as archive:
        manifest = archive.extractfile("FILES.json")
        if manifest is None:
            return ["the artifact has no FILES.json"]
        names = [entry["name"] for entry in json.load(manifest)["files"]]
    unwanted = [f"{name} is for development and must not be shipped" for name in names if UNWANTED.match(name)]
    missing = [f"{name} is missing in the artifact" for name in WANTED if name not in names]
    return unwanted + missing


def problems_of_import(artifact: Path) -> list[str]:
    """The lines of galaxy-importer's log that are warnings or errors."""
    with tempfile.TemporaryDirectory(prefix="importer-") as temporary:
        configuration = Path(temporary) / "galaxy-importer.cfg"
        configuration.write_text(CONFIGURATION.format(temporary=temporary), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "galaxy_importer.main", str(artifact)],
            cwd=temporary,
            # ansible-doc and ansible-lint are looked for in PATH; the checkout's ansible.cfg is not the artifact's.
            env={
                **{name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"},
                "GALAXY_IMPORTER_CONFIG": str(configuration),
                "PATH": f"{BIN}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    print(done.stdout)
    problems = [line for line in done.stdout.splitlines() if line.startswith(("WARNING", "ERROR", "Traceback"))]
    if done.returncode != 0:
        problems.append(f"galaxy-importer ended with status {done.returncode}")
    if "ansible-lint run complete" not in done.stdout or "completed successfully" not in done.stdout:
        problems.append("galaxy-importer did not run to its end")
    return problems


def main() -> int:
    """Build, look into the artifact, import it; 0 when nothing was found."""
    artifact = build()
    problems = problems_of_content(artifact) + problems_of_import(artifact)
    for problem in problems:
        print(f"importer: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
