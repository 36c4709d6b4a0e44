"""Who is who in the service's REST: logins, visitors, users, limits, and pages from elsewhere."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import RunningSandbox, start_sandbox
from tests.rest.conftest import Caller


def test_a_session_opens_verifies_and_ends(sandbox: RunningSandbox) -> None:
    ann = Caller(sandbox)
    assert {"accessToken", "issuedAt", "expiresAt", "users", "files", "userType"} <= ann.session.keys()
    assert ann.session["users"][0]["path"] == f"sandbox/user/{ann.internal_id}"
    assert ann.get("/api/v3/sessions") == {"success": True}
    assert ann.call("DELETE", "/api/v4/sessions") == {"success": True}
    assert ann.get("/api/v3/sessions", expect=401)["code"] == 400100


def test_logins_are_checked(sandbox: RunningSandbox) -> None:
    http = httpx.Client(base_url=sandbox.url, trust_env=False, timeout=60)
    body = {"userId": "a", "deviceId": "d"}
    assert http.post("/api/v5/sessions", json=body).json()["code"] == 400100
    assert http.post("/api/v5/sessions", json=body, headers={"X-API-Key": "wrong"}).status_code == 401
    key = {"X-API-Key": sandbox.api_key}
    for broken in ({}, {"userId": ""}, {"userId": "a"}, {"userId": "x" * 51, "deviceId": "d"}, [], "text"):
        answer = http.post("/api/v5/sessions", json=broken, headers=key)
        assert answer.status_code == 422
        assert answer.json()["data"]["detail"]
    malformed = http.post("/api/v5/sessions", content=b"{", headers=key)
    assert (malformed.status_code, malformed.json()["code"]) == (400, 400000)
    for token in ("", "Bearer nonsense", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"):
        headers = {"Authorization": token} if token else {}
        assert http.get("/api/v1/rooms", headers=headers).json()["code"] == 400100
    unknown = http.get("/api/v9/nothing")
    assert (unknown.status_code, unknown.json()["code"]) == (404, 400400)
    assert http.delete("/api/v1/rooms").status_code == 404


def test_another_user_on_a_device_ends_the_first_ones_session(sandbox: RunningSandbox) -> None:
    first = Caller(sandbox)
    body = {"userId": "somebody else", "deviceId": f"device of {first.user_id} #1"}
    first.http.post("/api/v5/sessions", json=body, headers={"X-API-Key": sandbox.api_key})
    assert first.get("/api/v3/sessions", expect=401)


def test_visitors_only_read(sandbox: RunningSandbox) -> None:
    http = httpx.Client(base_url=sandbox.url, trust_env=False, headers={"X-API-Key": sandbox.api_key}, timeout=60)
    for kind, code in (("visitor", 403999), ("bot", 403998)):
        session = http.post(f"/api/v5/sessions/{kind}", json={"deviceId": f"{kind} device"}).json()
        assert session["userType"] == kind
        headers = {"Authorization": f"Bearer {session['accessToken']}"}
        assert http.get("/api/v1/rooms", headers=headers).status_code == 200
        refused = http.post("/api/v1/rooms", json={"title": "x"}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, code)


def test_users_are_read_searched_and_changed(host: Caller, guest: Caller) -> None:
    assert guest.get("/api/v3/users/host")["users"][0]["userId"] == "host"
    assert guest.get(f"/api/v3/users/{host.internal_id}", type="internal")["users"][0]["userId"] == "host"
    assert guest.get("/api/v3/users/nobody", expect=404)
    assert len(guest.get("/api/v3/users/list", **{"userIds[]": ["host", "guest", "nobody"]})["users"]) == 2
    changed = guest.call("PUT", "/api/v3/users", {"displayName": "Gustav Guest", "metadata": {"a": 1}})["users"][0]
    assert (changed["displayName"], changed["metadata"]) == ("Gustav Guest", {"a": 1})
    assert guest.get("/api/v3/users", keyword="gustav")["users"][0]["userId"] == "guest"
    assert guest.get("/api/v3/users", **{"options[limit]": "1"})["paging"]["next"]
    assert guest.call("PUT", "/api/v3/users", {"userId": "host", "displayName": "x"}, expect=403)


def test_settings_that_sdks_read_at_login_are_complete(host: Caller) -> None:
    chat = host.get("/api/v3/network-settings/chat")
    assert chat["mention"]["isAllowMentionedChannelEnabled"] in (True, False)
    assert chat["messagePreview"].keys() == {"enabled", "isIncludeDeleted"}
    assert "socialNetworkSetting" in host.get("/api/v3/network-settings/social")
    assert "feedSettings" in host.get("/api/v3/network-settings/feed-setting")
    # Read without a guard by SDK 7.20 and the Web UIKit.
    assert host.get("/api/v3/network-settings/product") == {"product": {"enabled": True}}
    assert host.get("/api/v3/network-settings/uikit") == {"config": {}}
    for name in ("shareable-deep-links", "video-streaming"):
        assert host.get(f"/api/v3/network-settings/{name}")


def test_beyond_the_rate_limit_the_answer_says_when_to_come_back(tmp_path: Path) -> None:
    limited = start_sandbox(tmp_path)
    try:
        caller = Caller(limited)
        with ThreadPoolExecutor(16) as pool:  # far more than 100 in 5 s, also on a busy machine
            answers = list(pool.map(lambda _: caller.http.get("/api/v3/users/x"), range(400)))
        refused = [answer for answer in answers if answer.status_code != 404]
        assert len(answers) - len(refused) >= 100
        assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(429, 400311)}
        last = refused[-1]
        assert 1 <= int(last.headers["retry-after"]) <= 5
        assert Caller(limited, "another").get("/api/v1/rooms")["rooms"] == []
    finally:
        limited.stop()


@pytest.mark.parametrize("host_header", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "192.168.1.5"])
def test_other_host_names_are_refused(sandbox: RunningSandbox, host_header: str) -> None:
    answer = httpx.get(f"{sandbox.url}/api/v1/rooms", headers={"Host": host_header}, trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (403, 400300)


def test_pages_from_elsewhere_are_refused_and_loopback_pages_get_cors(sandbox: RunningSandbox) -> None:
    url = f"{sandbox.url}/api/v1/rooms"
    for origin in ("https://evil.example", "null", "http://localhost.evil.example", "file://"):
        refused = httpx.get(url, headers={"Origin": origin}, trust_env=False, timeout=60)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    page = {"Origin": "http://localhost:8888"}
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,x-no-cache"}
    preflight = httpx.options(url, headers={**page, **asks}, trust_env=False, timeout=60)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == asks["Access-Control-Request-Headers"]
    assert preflight.headers["access-control-allow-origin"] == page["Origin"]
    allowed = httpx.get(url, headers=page, trust_env=False, timeout=60)
    assert allowed.status_code == 401
    assert allowed.headers["access-control-allow-origin"] == page["Origin"]
