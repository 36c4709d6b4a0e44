"""Every address that the vendor's SDK asks is served as what it is, or not at all: never taken for an id."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from starlette.routing import Match, Route

from spnb.sandbox.rest import routes
from tests.node import bundled
from tests.vendor.site import APP

CALL = re.compile(r"\.(get|post|put|delete)\(\s*[`'\"]/?(api/[^`'\"?\n]+?)/?(?:\?[^`'\"\n]*)?[`'\"]")
WITHOUT = ("/api/v3/video-streaming", "/api/v3/user-event/video-streaming", "/api/v4/stories")
"""The streams that rooms took the place of, and stories but for their empty lists: the sandbox has none."""
IDS = re.compile(r"\$\{[^}]*\}")


@pytest.fixture(scope="module")
def asked() -> set[tuple[str, str]]:
    """`(method, path)` of the SDK's calls, ids written as `{}`."""
    source = (bundled(APP).parent / "node_modules/@amityco/ts-sdk-react-native/dist/index.esm.js").read_text()
    return {(method.upper(), "/" + IDS.sub("{}", path)) for method, path in CALL.findall(source)}


def test_no_address_of_the_sdk_is_taken_for_an_id(asked: set[tuple[str, str]]) -> None:
    assert len(asked) > 150
    # Routes are only looked at, none is called.
    served = [cast(Route, route) for route in routes(cast(Any, None))]
    taken, unserved = [], []
    for method, path in sorted(asked):
        scope = {"type": "http", "method": method, "path": path.replace("{}", "an-id"), "root_path": ""}
        found = next((route for route in served if route.matches(scope)[0] is Match.FULL), None)
        if found is None:
            unserved.append(f"{method} {path}")
        elif any(
            ours.startswith("{") and theirs != "{}"
            for ours, theirs in zip(found.path.split("/"), path.split("/"), strict=True)
        ):
            taken.append(f"{method} {path} by {found.path}")
    assert not taken
    assert not [each for each in unserved if not each.split()[1].startswith(WITHOUT)]
