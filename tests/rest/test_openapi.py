"""The service's own OpenAPI description against the sandbox: no call breaks it, no answer breaks the description.

Each operation is called with what the description allows, with what it forbids, and with nulls, depth and edges put in;
once from a fixed seed and once from the run's own, which the head of a test run prints (`SPNB_SEED` repeats it, and
`SPNB_EXAMPLES` asks for more than the few of CI). Half of the names in a call are of things that are there.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, reject, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from schemathesis import Case, GenerationMode
from starlette.routing import Match, Route

from spnb.sandbox.rest import routes
from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller

Json = dict[str, Any]
EXAMPLES = int(os.environ.get("SPNB_EXAMPLES", "6"))
LONGEST = 32_000
"""Characters of an address; a longer one is refused by the HTTP server itself, in its own words."""
FOUND = next(
    (
        path
        for folder in Path(__file__).resolve().parents
        if (path := folder / "shared" / "contract" / "openapi-subset.json").is_file()
    ),
    None,
)
pytestmark = pytest.mark.skipif(FOUND is None, reason="the contract is not beside the project: shared/contract/")
DESCRIPTION: Json = json.loads(FOUND.read_text()) if FOUND else {"openapi": "3.0.3", "info": {}, "paths": {}}


DEPTHS = (20, 60, 300, 20_000)
"""Levels; a value so deep is written into the body as text, since nothing here could walk it. So is half of a character
(a lone surrogate)."""
ODD: list[Any] = [
    None, "", [], {}, [None], {"a": None}, True, -1, 0, 2**31, 2**63, 2**70, 1e308, -0.0, "²", "\0", "@half@", "x" * 3000,
    "null", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", *(f"@deep {depth}@" for depth in DEPTHS),
]  # fmt: skip


class World:
    """What is there to be named in a call; made anew where a call may have taken it away."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.me = Caller(sandbox)
        self.other = Caller(sandbox)
        self._numbers = itertools.count()
        self.names = self.fresh()

    def fresh(self, *wanted: str) -> dict[str, str]:
        """Names of new things: of those that are wanted, or of all."""
        me, names = self.me, {"userId": self.other.user_id}
        everything = not wanted
        if everything or {"roomId", "postId", "channelId", "messageFeedId", "messageId", "invitationId"} & set(wanted):
            names["roomId"] = me.room("Here")["roomId"]
        if everything or {"postId", "channelId", "messageFeedId", "messageId"} & set(wanted):
            post = me.room_post({"roomId": names["roomId"]})
            names["postId"], child = post["posts"][0]["postId"], post["postChildren"][0]["postId"]
        if everything or {"channelId", "messageFeedId", "messageId"} & set(wanted):
            body = {"type": "live", "roomId": names["roomId"], "postId": child}
            names["channelId"] = names["messageFeedId"] = me.post("/api/v3/channels", body)["channels"][0]["channelId"]
        if everything or "messageId" in wanted:
            sent = me.post("/api/v5/messages", {"messageFeedId": names["channelId"], "data": {"text": "here"}})
            names["messageId"] = sent["messages"][0]["messageId"]
        if everything or "communityId" in wanted:
            made = me.post("/api/v3/communities", {"displayName": "Here", "isPublic": True})
            names["communityId"] = made["communities"][0]["communityId"]
        if everything or "invitationId" in wanted:
            body = {"type": "livestreamCohostInvite", "targetType": "room", "targetId": names["roomId"]}
            invited = me.post("/api/v1/invitations", {**body, "userIds": [self.other.user_id]})
            names["invitationId"] = invited["invitations"][0]["_id"]
        if everything or "fileId" in wanted:
            kept = me.http.post("/api/v4/files", files={"files": ("here.txt", b"here", "text/plain")}).json()
            names["fileId"] = (kept[0] if isinstance(kept, list) else kept)["fileId"]
        return names


@pytest.fixture(scope="module")
def world(sandbox: RunningSandbox) -> World:
    return World(sandbox)


def operations() -> dict[str, Any]:
    loaded = schemathesis.openapi.from_dict(DESCRIPTION)
    return {found.ok().label: found.ok() for found in loaded.get_all_operations()}


OPERATIONS = operations()


@st.composite
def calls(draw: st.DrawFn, label: str) -> tuple[Case, list[tuple[str, Any]]]:
    """A call, and what of it is to be replaced: names by those of things that are there, others by odd values."""
    mode = draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = draw(OPERATIONS[label].as_strategy(generation_mode=mode))
    changes: list[tuple[str, Any]] = []
    if draw(st.booleans()) or mode is GenerationMode.POSITIVE:
        changes.append(("there", None))
    for _ in range(draw(st.integers(0, 2))):
        changes.append((f"odd {draw(st.integers(0, 40))}", draw(st.sampled_from(ODD))))
    return case, changes


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container with a key in it, from the outside in."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            found.append((value, key))
            found += places(inner)
    return found


def put_in(case: Case, names: dict[str, str], changes: list[tuple[str, Any]]) -> None:
    for what, value in changes:
        if what == "there":
            for name in case.path_parameters or {}:
                if name in names:
                    case.path_parameters[name] = names[name]
            for container in (case.query, case.body):
                for inside, key in places(container):
                    if key in names and isinstance(inside, dict):
                        inside[key] = names[key]
                    elif isinstance(inside, dict) and isinstance(key, str) and key.removesuffix("s") in names:
                        inside[key] = [names[key.removesuffix("s")]]
                    elif inside.__class__ is dict and key in ("targetId", "referenceId"):
                        of = {"community": "communityId", "user": "userId", "room": "roomId", "post": "postId"}
                        kind = str(inside.get("targetType") or inside.get("referenceType"))
                        inside[key] = names[of.get(kind, "messageId")]
        else:
            form = "multipart" in str(case.media_type)
            spots = places(case.body) if isinstance(case.body, dict | list) and not form else places(case.query)
            if spots:
                inside, key = spots[int(what.split()[1]) % len(spots)]
                inside[key] = copy.deepcopy(value)  # the next change may go into it


def send(world: World, label: str, case: Case, names: dict[str, str]) -> Any:
    """Make the call, with the rights it needs."""
    case.query = writable(case.query)
    arguments = case.as_transport_kwargs(base_url=world.sandbox.url)
    sessions = "/sessions" in label and not label.startswith("GET")
    who = Caller(world.sandbox) if label == "DELETE /api/v4/sessions" else world.me
    if label.endswith(("/accept", "/reject")):
        who = world.other
    headers = {
        **{
            name: value
            for name, value in arguments["headers"].items()
            if name.lower() not in ("authorization", "cookie")
        },
        "Authorization": who.http.headers["Authorization"],
        **({"X-API-Key": world.sandbox.api_key} if sessions or "/authentication/" in label else {}),
    }
    content = {key: arguments[key] for key in ("json", "data", "files", "params") if arguments.get(key) is not None}
    if "json" in content:
        content["content"] = deep(json.dumps(content.pop("json")))
        headers["Content-Type"] = "application/json"
    if isinstance(content.get("data"), bytes | str):
        content["content"] = content.pop("data")
    if "files" in content:
        content["files"] = [(name, sendable(part)) for name, part in content["files"]]
    try:
        request = who.http.build_request(arguments["method"], arguments["url"], headers=headers, **content)
    except httpx.InvalidURL:
        reject()
    assume(len(request.url.raw_path) < LONGEST)
    return who.http.send(request, follow_redirects=False)


def deep(text: str) -> str:
    for depth in DEPTHS:
        text = text.replace(f'"@deep {depth}@"', '{"a":[' * depth + "1" + "]}" * depth)
    return text.replace('"@half@"', r'"\ud83d"')


def sendable(part: Any) -> Any:
    """A part of a form, of whatever was thought up for it."""
    if isinstance(part, tuple):
        return (str(part[0]), sendable(part[1]))
    return part if isinstance(part, bytes) else str(part).encode("utf-8", "replace")


def writable(value: Any) -> Any:
    """A query without what no URL can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [writable(one) for one in value]
    if isinstance(value, dict):
        return {writable(key): writable(one) for key, one in value.items()}
    return value


EXCEPTIONS: dict[str, Callable[[str, str], bool]] = {
    "SDK 7.20's type Flaggable has `hashFlag` null where nobody has flagged": lambda _, text: (
        text.split(": ")[0].endswith("hashFlag") and "None is not of type 'object'" in text
    ),
    "SDK 7.20's type Flaggable has the filter's content as one text": lambda _, text: (
        text.split(": ")[0].endswith("hashFlag.hash") and "is not of type 'array'" in text
    ),
    "SDK 7.20's enumeration Permission has more than the description of 2024": lambda _, text: (
        text.split(": ")[0].endswith("permissions.[]") and "is not one of" in text
    ),
    "the SDK shows `fileUrl` in pages as it is; a redirect to a signed address keeps tokens out of them": lambda label, text: (
        label == "GET /api/v3/files/{fileId}/download" and text == "302 is not described"
    ),
}
"""Where the SDK that the vendor ships is right, and the description is not: the reason, and which complaint it ends."""


def complaints(label: str, answer: Any) -> list[str]:
    """What of an answer the description forbids, but for what the vendor's SDK needs otherwise."""
    if answer.status_code >= 500:
        return [f"{answer.status_code} {answer.text[:300]}"]
    method, path = label.split(" ", 1)
    told = DESCRIPTION["paths"][path][method.lower()]["responses"].get(str(answer.status_code))
    if answer.status_code >= 400:
        if "/authentication/token" in label and answer.text == "Unauthorized":
            return []  # so the service says it, in plain text
        found = answer.json()
        return [] if {"status", "code", "message", "data"} <= set(found) else [f"an odd error: {answer.text[:300]}"]
    if told is None:
        found = [f"{answer.status_code} is not described"]
        return [text for text in found if not any(where(label, text) for where in EXCEPTIONS.values())]
    if "$ref" in told:
        told = resolved(told)
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    found = []
    for fault in Draft4Validator({**nullable(schema), "components": NULLABLE}).iter_errors(answer.json()):
        for deep in leaves(fault):
            found.append(
                f"{'.'.join('[]' if isinstance(x, int) else x for x in deep.absolute_path)}: {deep.message[:150]}"
            )
    return sorted({text for text in found if not any(where(label, text) for where in EXCEPTIONS.values())})


def leaves(fault: Any) -> list[Any]:
    if not fault.context:
        return [fault]
    return leaves(max(fault.context, key=lambda inner: len(inner.absolute_path)))


def resolved(part: Json) -> Json:
    at: Any = DESCRIPTION
    for name in part["$ref"].removeprefix("#/").split("/"):
        at = at[name]
    return dict(at)


def nullable(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable`, as JSON Schema says it."""
    if isinstance(schema, list):
        return [nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: nullable(part) for key, part in schema.items()}
    if found.pop("nullable", False) is True:
        if isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
            if "enum" in found:
                found["enum"] = [*found["enum"], None]
        else:
            return {"anyOf": [{"type": "null"}, found]}
    return found


NULLABLE = nullable(DESCRIPTION.get("components", {}))
TAKES_AWAY = ("DELETE", "/stop", "/accept", "/reject", "/leave", "/ban", "PUT", "viewer-bans")


def fresh(world: World, label: str) -> dict[str, str]:
    """New things for a call that may take them away."""
    wanted = [name for name in world.names if f"{{{name}}}" in label]
    return world.fresh(*wanted) if wanted and any(sign in label for sign in TAKES_AWAY) else {}


def test_every_operation_has_a_route_of_its_own() -> None:
    # Routes are only looked at, none is called.
    served = [cast(Route, route) for route in routes(cast(Any, None))]
    missing = []
    for label in OPERATIONS:
        method, path = label.split(" ")
        scope = {"type": "http", "method": method, "path": re.sub(r"\{\w+\}", "an-id", path), "root_path": ""}
        found = next((route for route in served if route.matches(scope)[0] is Match.FULL), None)
        if found is None or found.path.count("{") != path.count("{"):
            missing.append(label)
    assert len(OPERATIONS) >= 100
    assert not missing


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_every_call_is_answered_as_described(world: World, label: str, run_seed: int) -> None:
    for number in (1, run_seed):

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(calls(label))
        def answered(call: tuple[Case, list[tuple[str, Any]]]) -> None:
            case, changes = call
            names = {**world.names, **fresh(world, label)}
            put_in(case, names, changes)
            answer = send(world, label, case, names)
            assert not complaints(label, answer), (
                f"{answer.request.method} {answer.request.url} {answer.request.content[:2000]!r}"
            )

        answered()
