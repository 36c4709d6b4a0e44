"""Plain HTTP against the shared sandbox, as any other SDK would speak it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import RunningSandbox

Json = dict[str, Any]
_users = itertools.count(1)


class Caller:
    """A logged-in user."""

    def __init__(self, sandbox: RunningSandbox, user_id: str | None = None) -> None:
        self.user_id = user_id or f"user-{next(_users)}"
        self.sandbox = sandbox
        self.http = httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60)
        answer = self.http.post(
            "/api/v5/sessions",
            json={"userId": self.user_id, "deviceId": f"device of {self.user_id} #1"},
            headers={"X-API-Key": sandbox.api_key},
        )
        assert answer.status_code == 200, answer.text
        self.session = answer.json()
        self.internal_id = self.session["users"][0]["_id"]
        self.http.headers["Authorization"] = f"Bearer {self.session['accessToken']}"

    def call(self, method: str, path: str, json: Any = None, *, expect: int = 200, **params: Any) -> Json:
        answer = self.http.request(method, path, json=json, params=params or None)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        found = answer.json() if answer.content else {}
        if expect >= 400:
            assert found["status"] == "error"
            assert isinstance(found["message"], str)
            assert isinstance(found["data"], dict)
        return found

    def get(self, path: str, **options: Any) -> Json:
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> Json:
        return self.call("POST", path, json if json is not None else {}, **options)

    def room(self, title: str = "A room", **fields: Any) -> Json:
        return self.post("/api/v1/rooms", {"title": title, "type": "coHosts", **fields})["rooms"][0]

    def room_post(self, room: Json, **fields: Any) -> Json:
        body = {"targetType": "user", "dataType": "room", "data": {"roomId": room["roomId"]}, **fields}
        return self.post("/api/v4/posts", body)

    def send(self, feed: str, text: str, *, expect: int = 200, **fields: Any) -> Json:
        body = {"messageFeedId": feed, "dataType": "text", "data": {"text": text}, **fields}
        return self.post("/api/v5/messages", body, expect=expect)


@pytest.fixture(scope="session")
def host(sandbox: RunningSandbox) -> Iterator[Caller]:
    caller = Caller(sandbox, "host")
    yield caller
    caller.http.close()


@pytest.fixture(scope="session")
def guest(sandbox: RunningSandbox) -> Iterator[Caller]:
    caller = Caller(sandbox, "guest")
    yield caller
    caller.http.close()
