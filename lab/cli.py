# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of the lab."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.bankops.fleet.lab import clouds, image, inventory, traffic
from ansible_collections.bankops.fleet.lab.lifecycle import PROFILES, Lab
from ansible_collections.bankops.fleet.lab.topology import DEFAULT_LAB
from ansible_collections.bankops.fleet.plugins.module_utils._errors import FleetError


def say(line: str) -> None:
    """Progress goes to standard error, so that what programs read stays clean."""
    print(f"lab: {line}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=DEFAULT_LAB, help="which lab (default: %(default)s)")
    root = argparse.ArgumentParser(prog="lab/fleet", description="A fleet of systemd containers to patch.")
    commands = root.add_subparsers(dest="command", required=True)

    def command(name: str, description: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=description, description=description, parents=[common])

    up = command("up", "Start the lab; hosts that already run as asked are left alone.")
    up.add_argument(
        "--profile", choices=PROFILES, default="test", help="where updates come from (default: %(default)s)"
    )
    up.add_argument("--web", type=int, default=None, metavar="N", help="how many web hosts (3; 50 for bench)")
    up.add_argument("--only", default="", metavar="HOST,HOST", help="start only these hosts")
    up.add_argument("--fresh", action="store_true", help="replace hosts that already run")
    up.add_argument("--clouds", action="store_true", help="and three clouds that list the hosts, and Falcon")
    command("down", "Stop the lab and remove everything of it but its images.")
    command("status", "Show each host and what it does.")
    ssh = command("ssh", "Log in to a host, or run what follows -- on it.")
    ssh.add_argument("host")
    talk = command("traffic", "Users' requests: start them, stop them, report failures.")
    talk.add_argument("action", choices=("start", "stop", "report"))
    talk.add_argument("--rate", type=float, default=20, help="web requests a second (default: %(default)s)")
    talk.add_argument(
        "--for", type=float, default=3600, dest="seconds", help="stop after so many seconds (default: %(default)s)"
    )
    command("image", "Build the images that are missing.")
    reset = command("reset", "Replace hosts by fresh ones: their pending updates are back.")
    reset.add_argument("hosts", nargs="*", metavar="HOST")
    reset.add_argument("--all", action="store_true")
    facts = command("facts", "Hosts, ports, addresses and paths, for programs.")
    facts.add_argument("--json", action="store_true", help="as JSON")
    command("inventory", "The inventory as Ansible's script plugin reads it.")
    command("clean", "Stop the lab and remove its images too.")
    return root


def main(arguments: Sequence[str], checkout: Path) -> int:
    """Run one command and return its exit status."""
    # What follows "--" is the host's; argparse would look for options of the lab in it.
    ours = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    given = parser().parse_args(ours)
    given.argv = list(arguments[len(ours) + 1 :])
    try:
        if given.argv and given.command != "ssh":
            raise FleetError(f"Only ssh takes a command after --, not {given.command}.", kind="bad_arguments")
        return _run(given, Lab(checkout, given.name, say))
    except FleetError as problem:
        say(f"{problem.message} {problem.remedy}".strip())
        return 2
    except subprocess.CalledProcessError as problem:
        say(f"{' '.join(map(str, problem.cmd[:4]))} failed: {(problem.stderr or '').strip()[-2000:]}")
        return 2
    except KeyboardInterrupt:
        say("interrupted; the next `lab/fleet up` continues from here")
        return 130


def _run(given: argparse.Namespace, lab: Lab) -> int:
    if given.command == "up":
        _up(given, lab)
    elif given.command in ("down", "clean"):
        traffic.stop(lab)
        clouds.stop(lab)
        if given.command == "down":
            lab.down()
        else:
            lab.clean()
    elif given.command == "status":
        return _status(lab)
    elif given.command == "ssh":
        return _ssh(lab, given.host, given.argv)
    elif given.command == "traffic":
        return traffic.run(lab, given.action, given.rate, given.seconds)
    elif given.command == "image":
        image.ensure_images(lab.podman, image.LAYERS, say)
    elif given.command == "reset":
        if bool(given.hosts) == given.all:
            raise FleetError("Name the hosts to reset, or say --all.", kind="bad_arguments")
        lab.reset(frozenset(given.hosts))
    elif given.command == "facts":
        facts = lab.facts()
        print(json.dumps(facts, indent=2) if given.json else inventory.as_yaml(facts), end="\n" if given.json else "")
    elif given.command == "inventory":
        lab.required_description()
        print(json.dumps(inventory.as_script_output(json.loads((lab.run / "inventory.json").read_text()))))
    return 0


def _up(given: argparse.Namespace, lab: Lab) -> None:
    web = given.web if given.web is not None else (50 if given.profile == "bench" else 3)
    only = frozenset(name.strip() for name in given.only.split(",") if name.strip())
    lab.up(given.profile, web, only, given.fresh)
    say(f"inventory: {os.path.relpath(lab.folder)}")
    if given.clouds:
        clouds.start(lab)
        folder = os.path.relpath(lab.clouds)
        say(f"inventory of the clouds: {folder}, after . {folder}/.environment")
    else:
        clouds.stop(lab)


def _status(lab: Lab) -> int:
    """0 when every host runs, 1 otherwise."""
    hosts = lab.status()
    print(f"{'HOST':8} {'TENANT':7} {'ADDRESS':15} {'SSH PORT':8}  STATE")
    for host in hosts:
        place = f"{host['address']:15} {host['ssh_port']:<8}"
        print(f"{host['name']:8} {host['tenant']:7} {place}  {host['status'] or host['state']}")
    return 0 if all(host["state"] == "running" for host in hosts) else 1


def _ssh(lab: Lab, name: str, argv: Sequence[str]) -> int:
    hosts = {host.name: host for host in lab.hosts()}
    if name not in hosts:
        raise FleetError(f"The lab has no host {name}.", kind="unknown_host", remedy=f"It has {', '.join(hosts)}.")
    return subprocess.run(lab.ssh(hosts[name], argv, keep=True), check=False).returncode
