# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ``ansible-test sanity`` on the checkout, in place and without containers.

Arguments are passed on, so that ``python tests/tools/sanity.py --test validate-modules`` runs one test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import get_venv_packages

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# ansible-test fills its virtual environments with a get-pip script from a host that many networks do not reach.
# It takes a file in its cache instead; this one has pip from the interpreter itself install what is asked for.
GET_PIP = '''\
"""Stands in for get-pip where ci-files.testing.ansible.com cannot be reached; may be deleted at any time."""

import os
import subprocess
import sys

os.environ.pop("GET_PIP", None)
subprocess.run([sys.executable, "-m", "ensurepip", "--default-pip"], check=True, stdout=subprocess.DEVNULL)
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
'''


def place_get_pip() -> None:
    """Put the stand-in for get-pip where ansible-test looks for it, unless a script is there already."""
    version = get_venv_packages(NativePythonConfig(version=PYTHON, path=sys.executable))["pip"]
    script = Path.home() / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists():
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(GET_PIP, encoding="utf-8")


def main() -> int:
    """Run the sanity tests and return ansible-test's exit status."""
    place_get_pip()
    collection = ROOT / ".collections" / "ansible_collections" / "bankops" / "fleet"
    # The working directory must be inside the collection by its path through the symlink.
    environment = {**os.environ, "ANSIBLE_TEST_CONTENT_ROOT": str(collection), "PWD": str(collection)}
    command = [str(Path(sys.executable).with_name("ansible-test")), "sanity", "--color", "no", "--python", PYTHON]
    # These are rules for what is shipped. Over the lab and the tests, which are not, ruff and mypy watch.
    command += ["--exclude", "lab/", "--exclude", "tests/", *sys.argv[1:]]
    return subprocess.run(command, cwd=collection, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
