# Copyright (c) 2026 bankops.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to AWS by botocore, with one policy for trying again and one kind of problem.

botocore alone is what boto3 is made on: it has all that is needed here, and costs less to load. It is loaded by who
needs it, for who reads no AWS need not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any, TypeVar

from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.aws_errors import MalformedError, explained, judge
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.machine import Scope
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.problems import SourceError
from ansible_collections.bankops.fleet.plugins.plugin_utils._clouds.retries import Deadline, retrying

_T = TypeVar("_T")
NOTHING: Mapping[str, Any] = MappingProxyType({})
EC2_OPERATIONS = ("DescribeInstances", "DescribeRegions")
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
USUAL_REGION = "us-east-1"
CONFIGURATION = "configuration of AWS"


@dataclass(frozen=True)
class Keys:
    """Whose calls are made: those of a profile or of the default chain, or of a role that was assumed."""

    profile: str = ""
    assumed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Arguments of the client, empty when no role was assumed."""


class _NarrowLoader:
    """Loads the models of services as the library's own loader does, that of EC2 narrowed to what is called and read.

    A client gets a method for each operation, and EC2 has 700. Of its answers most is never read, and would cost more
    than all else here together.
    """

    def __init__(self, loader: Any, members: Mapping[str, Set[str]]) -> None:
        self._loader = loader
        self._members = members
        self._ec2: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        if (service_name, type_name) == ("ec2", "service-2") and self._ec2:
            return self._ec2
        model = self._loader.load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) != ("ec2", "service-2"):
            return model
        shapes = dict(model["shapes"])
        for name, read in self._members.items():
            members = {member: each for member, each in shapes[name]["members"].items() if member in read}
            shapes[name] = {**shapes[name], "members": members}
        operations = {name: model["operations"][name] for name in EC2_OPERATIONS}
        self._ec2 = {**model, "operations": operations, "shapes": shapes}
        return self._ec2


class _OneAtATime:
    """Makes parsers for the library, of which one works after the other, whichever threads the answers came to.

    The interpreter is no faster with several, and each takes ten times its length in memory while it is parsed.
    """

    def __init__(self, factory: Any, lock: Lock) -> None:
        # Times stay as they were sent: nobody here computes with them, and raw data must be plain.
        factory.set_parser_defaults(timestamp_parser=str)
        self._factory = factory
        self._lock = lock

    def create_parser(self, protocol_name: str) -> Any:
        parser = self._factory.create_parser(protocol_name)
        parse = parser.parse

        def alone(response: Mapping[str, Any], shape: Any) -> Any:
            with self._lock:
                return parse(response, shape)

        parser.parse = alone
        return parser


class Clients:
    """Makes clients; they may be used by any thread, and share what costs time and memory to load.

    ``endpoints`` are URLs by service, in which ``{region}`` stands for the region; ``members`` are those that are read
    of shapes in EC2's answers, all of a shape that is not there.
    """

    def __init__(self, endpoints: Mapping[str, str], members: Mapping[str, Set[str]]) -> None:
        self._endpoints = endpoints
        self._members = members
        self._loader: _NarrowLoader | None = None
        self._sessions: dict[str, Any] = {}
        self._parsing = Lock()
        self._lock = Lock()

    def known_regions(self, scope: Scope, profile: str) -> dict[str, str]:
        """Each region that the installed botocore knows, and its partition."""

        def find() -> dict[str, str]:
            session = self._session(profile)
            partitions = session.get_available_partitions()
            return {region: each for each in partitions for region in session.get_available_regions("ec2", each)}

        with self._lock:
            return _explaining(find, scope, CONFIGURATION)

    def configured_region(self, scope: Scope, profile: str) -> str:
        """The region that the environment or the profile names, or else the one that every account has."""
        with self._lock:
            found = _explaining(lambda: self._session(profile).get_config_variable("region"), scope, CONFIGURATION)
        return str(found or USUAL_REGION)

    def client(self, service: str, region: str, keys: Keys, scope: Scope, deadline: Deadline) -> Any:
        """A client of a service in a region, that waits for no answer much longer than the deadline."""
        from botocore.config import Config

        config = Config(
            connect_timeout=max(0.1, min(CONNECT_SECONDS, deadline.left)),
            read_timeout=max(0.1, min(READ_SECONDS, deadline.left)),
            # Who tries again is `ask`, so that there is one policy, with one deadline.
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        url = self._endpoints.get(service)

        def make() -> Any:
            return self._session(keys.profile).create_client(
                service,
                region_name=region,
                endpoint_url=url.replace("{region}", region) if url else None,
                config=config,
                **keys.assumed,
            )

        # Sessions are not safe to be used by several threads.
        with self._lock:
            return _explaining(make, scope, f"{service}: the client")

    def _session(self, profile: str) -> Any:
        from botocore.session import Session

        if profile not in self._sessions:
            session = Session(profile=profile or None)
            parsers = _OneAtATime(session.get_component("response_parser_factory"), self._parsing)
            session.register_component("response_parser_factory", parsers)
            self._loader = self._loader or _NarrowLoader(session.get_component("data_loader"), self._members)
            session.register_component("data_loader", self._loader)
            self._sessions[profile] = session
        return self._sessions[profile]


def ask(
    client: Any,
    method: str,
    read: Callable[[dict[str, Any]], _T],
    scope: Scope,
    deadline: Deadline,
    parameters: Mapping[str, Any] = NOTHING,
) -> _T:
    """What ``read`` makes of the answer to a call, which is tried again while that may help and there is time.

    ``read`` raises KeyError for what an answer must have. Raises SourceError.
    """
    call = _name(client, method)
    if not deadline.left:
        remedy = "Give it more time (timeout), or name fewer accounts and regions."
        raise SourceError(scope, call, "the time was up before it was asked", kind="timed_out", remedy=remedy)

    def once() -> _T:
        answer = getattr(client, method)(**parameters)
        try:
            return read(answer)
        except KeyError as missing:
            # The library takes a page of a proxy, or JSON that was cut, for an answer with nothing in it.
            raise MalformedError(f"{missing} is missing") from None

    return _explaining(lambda: retrying(once, judge, deadline), scope, call)


def pages(
    client: Any,
    method: str,
    read: Callable[[dict[str, Any]], _T],
    scope: Scope,
    deadline: Deadline,
    parameters: Mapping[str, Any] = NOTHING,
) -> Iterator[_T]:
    """What ``read`` makes of every page of a listing. Raises SourceError, after some pages perhaps."""
    token = ""
    while True:
        asked = {**parameters, "NextToken": token} if token else parameters
        found, following = ask(
            client, method, lambda answer: (read(answer), answer.get("NextToken", "")), scope, deadline, asked
        )
        yield found
        if not following:
            return
        if following == token:
            what, remedy = "a page names itself as the one that follows", "See whether it is AWS that answers."
            raise SourceError(scope, _name(client, method), what, kind="answer_partial", remedy=remedy)
        token = following


def _name(client: Any, method: str) -> str:
    return f"{client.meta.service_model.service_name}:{client.meta.method_to_api_mapping[method]}"


def _explaining(call: Callable[[], _T], scope: Scope, name: str) -> _T:
    try:
        return call()
    except Exception as problem:
        told = explained(problem, scope, name)
        if told is None:
            raise
        # What the library says may hold more than belongs into a log.
        raise told from None
