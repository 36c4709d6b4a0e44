"""Reactions, products and viewers on the Python side of the widgets, without a browser."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import spnb
from spnb.widgets import LiveNow, Player, RoomTable, Studio, ViewerCount
from spnb.widgets.engagement import MOST_AT_ONCE
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import Sent, command, state_of, until


@pytest.fixture(scope="module")
def host(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("engaging-host", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def fan(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("fan-of-widgets", url=sandbox.url, api_key=sandbox.api_key, display_name="<i>Fan</i>") as client:
        yield client


def floated(sent: Sent) -> Counter[str]:
    """Reactions a page was told of."""
    names: Counter[str] = Counter()
    for content, _ in sent.messages:
        if content["type"] == "float":
            names.update(content["names"])
    return names


@pytest.mark.media
def test_a_player_and_a_studio_react_to_each_other_and_sell(host: Any, fan: Any) -> None:
    room = host.rooms.create("widgets react")
    studio = Studio(host, room)
    until(lambda: studio.manages)
    assert not studio.reactable
    # The first product makes the post it hangs on.
    pages = Sent(studio)
    command(studio, "search", keyword="mug")
    until(lambda: any(content["type"] == "found" for content, _ in pages.messages))
    found = next(content for content, _ in pages.messages if content["type"] == "found")
    assert [product["id"] for product in found["products"]] == ["mug"]
    assert found["client"] == "page"
    command(studio, "tag", product="mug")
    until(lambda: [product["name"] for product in studio.products] == ["Enamel mug"])
    with room.go_live(spnb.TestCard(320, 180)):
        room.until("live", timeout=60)
        player = Player(fan.rooms.get(room.room_id))
        seen = Sent(player)
        until(lambda: player.reactable and player.products == studio.products)
        assert not player.manages
        until(lambda: player._room.reactions.following and room.reactions.following)
        command(player, "react", name="fire", times=3)
        command(studio, "react", name="clap")
        until(lambda: player.reactions == studio.reactions == {"fire": 3, "clap": 1})
        until(lambda: floated(pages) == floated(seen) == Counter(fire=3, clap=1))
        command(player, "react", name="wow", times=MOST_AT_ONCE + 1)
        until(lambda: studio.reactions.get("wow") == MOST_AT_ONCE)
        for content in ({"name": ""}, {"name": "x", "times": "many"}):
            player.error = ""
            command(player, "react", **content)
            until(lambda: player.error)
        # Pinned, seen, swapped, gone.
        command(studio, "tag", product="lamp")
        command(studio, "pin", product="mug")
        until(lambda: player.pinned == "mug")
        command(player, "viewed", product="mug", location="pinned")
        command(player, "clicked", product="mug")
        until(lambda: len(player._room.products._outbox()) == 2)
        command(studio, "viewed", product="mug")
        command(player, "viewed", product=3)
        until(lambda: "has an id" in player.error)
        command(player, "pin", product="lamp")
        until(lambda: "author" in player.error)
        command(studio, "pin", product="lamp")
        until(lambda: player.pinned == "lamp")
        command(studio, "pin", product="")
        until(lambda: player.pinned == "" and len(player.products) == 2)
        command(studio, "untag", product="lamp")
        until(lambda: [product["id"] for product in player.products] == ["mug"])
        now = LiveNow(fan)
        until(lambda: any(row["id"] == room.room_id for row in now.rooms))
        command(now, "select", room=room.room_id)
        until(lambda: now.reactable and now.products)
        command(now, "select", room="")
        until(lambda: now._engaged is None)
        now.close()
        player.close()
    room.until("ended", "recorded", timeout=60)
    until(lambda: not studio.reactable)
    studio.close()
    until(lambda: len(room.asynchronous.products._observers) == 0)


def test_addresses_of_products_are_of_the_web(host: Any, sandbox: RunningSandbox) -> None:
    bad = {"productUrl": "javascript:alert(1)", "thumbnailUrl": "data:text/html,x", "productName": "<b>Bad</b>"}
    made = httpx.post(
        f"{sandbox.url}/sandbox/products",
        headers={"X-API-Key": sandbox.api_key},
        json={"productId": "bad", **bad},
        trust_env=False,
        timeout=60,
    )
    assert made.status_code == 200
    room = host.rooms.create("bad shop")
    room.post()
    room.products.pin("bad")
    player = Player(room)
    until(lambda: player.products)
    assert player.products == [{"id": "bad", "name": "<b>Bad</b>", "price": "", "url": "", "picture": ""}]
    assert "javascript" not in json.dumps(state_of(player))
    player.close()
    table = RoomTable(host)
    command(table, "sight", rooms=[room.room_id])
    until(lambda: any(row["id"] == room.room_id and row["products"] == 1 for row in table.rooms))
    table.close()


@pytest.mark.media
def test_viewers_are_counted_and_named(host: Any, fan: Any) -> None:
    room = host.rooms.create("counted")
    first, second = ViewerCount(room), ViewerCount(room)
    sent = Sent(first)
    assert "off the air" in repr(first)
    with room.go_live(spnb.TestCard(320, 180)):
        room.until("live", timeout=60)
        with fan.rooms.get(room.room_id).watch_session():
            until(lambda: first.count == second.count == 1)
            assert (first.peak, first.live) == (1, True)
            assert "1 watching" in repr(first)
            command(first, "who")
            until(lambda: sent.messages)
            assert sent.messages[0][0] == {"type": "who", "client": "page", "names": ["<i>Fan</i>"]}
    until(lambda: not first.live and first.count == 0)
    until(lambda: first._uncount is None)
    first.close()
    second.close()
