"""Products of a live room against the real sandbox: tag, pin, swap, who may, who hears, views and clicks."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

import spnb
from spnb.errors import BadRequest, Forbidden, InvalidInput, NotFound
from spnb.live import AsyncRoomProducts
from tests.conftest import RunningSandbox
from tests.live.conftest import Wire, until


@pytest.fixture
def viewer(sandbox: RunningSandbox) -> Iterator[Any]:
    with spnb.connect("shopper", url=sandbox.url, api_key=sandbox.api_key) as client:
        yield client


def ids(products: Any) -> list[str]:
    return [product.product_id for product in products.tagged]


async def test_products_are_tagged_pinned_and_heard_of(sp: Any, wire: Wire, viewer: Any) -> None:
    room = await sp.rooms.create("shop", chat=False)
    products = room.products
    assert await products.refresh() == []
    with pytest.raises(InvalidInput, match=r"room\.post"):
        await products.tag("mug")
    theirs = await viewer.asynchronous.rooms.get(room.room_id)
    heard: list[Any] = []
    end = theirs.products.observe(heard.append)
    parent = await room.post(text="come and buy")
    assert (room.record.reference_id, len(parent.children)) == (parent.post_id, 1)
    await products.tag("mug", "lamp", "mug")
    assert ids(products) == ["mug", "lamp"]
    await until(lambda: heard and ids(theirs.products) == ["mug", "lamp"])
    # Pinned, swapped for one that was not tagged yet, unpinned.
    assert (await products.pin("lamp")).product_name == "Desk lamp"
    await until(lambda: heard[-1].pinned_id == "lamp")
    cloth = await sp.products.get("tripod")
    assert cloth.price_text == "45.00 EUR"
    await products.pin(cloth)
    assert ids(products) == ["mug", "lamp", "tripod"]
    await until(lambda: heard[-1].pinned is not None and heard[-1].pinned.product_id == "tripod")
    await products.untag("tripod")
    assert products.pinned is None
    await products.pin("mug")
    await products.unpin()
    await until(lambda: ids(theirs.products) == ["mug", "lamp"] and theirs.products.pinned is None)
    assert "2 of 20 tagged" in repr(products)
    # What happened while real time was away is read when it is back.
    own: list[Any] = []
    end_own = products.observe(own.append)
    await until(lambda: all(sp.realtime.is_subscribed(topic) for topic in products._topics or {"none yet"}))
    await wire.cut()
    await until(lambda: sp.realtime.state == "away")
    other = (await sp.rooms.get(room.room_id)).products
    await other.pin("lamp")
    wire.mend()
    sp.realtime.reconnect_now()
    await until(lambda: own and own[-1].pinned_id == "lamp", 40)
    end_own()
    end()
    # Twenty is the limit, unknown ones are none, and of the tagged post's parent no post is lost.
    with pytest.raises(InvalidInput, match="at most 20"):
        await products.tag(*[f"p{number}" for number in range(19)])
    with pytest.raises(InvalidInput, match="at least one"):
        await products.tag()
    with pytest.raises(NotFound):
        await products.tag("nothing")
    assert ids(products) == ["mug", "lamp"]
    by_parent = await sp.products.tags(parent.post_id)
    assert by_parent.post_id == parent.children[0], "products hang on the child"
    assert await sp.products.tags_of([parent.post_id, by_parent.post_id, "none"]) == [by_parent]
    with pytest.raises(BadRequest, match="child"):
        await sp.products.pin(parent.post_id, "mug")


async def test_a_co_host_needs_the_right(sp: Any, viewer: Any) -> None:
    room = await sp.rooms.create("shared shop")
    await sp.posts.create_room_post(room.room_id, product_ids=["mug"])
    theirs = await viewer.asynchronous.rooms.get(room.room_id)
    assert not theirs.products.manageable
    assert room.products.manageable
    with pytest.raises(Forbidden):
        await theirs.products.pin("mug")
    invitation = await sp.invitations.create(room.room_id, "shopper")
    await viewer.asynchronous.invitations.accept(invitation.invitation_id)
    with pytest.raises(Forbidden):
        await theirs.products.pin("mug")
    await sp.rooms.set_participant(room.room_id, "shopper", can_manage_product_tags=True)
    await theirs.refresh()
    assert theirs.products.manageable
    assert (await theirs.products.pin("mug")).product_id == "mug"


async def test_views_and_clicks_count_once_in_five_minutes(sp: Any, sandbox: RunningSandbox) -> None:
    room = await sp.rooms.create("seen shop")
    now = [0.0]
    products = AsyncRoomProducts(room, clock=lambda: now[0])
    for _ in range(3):
        await products.viewed("mug")
        await products.viewed("mug", location="pinned")
        await products.clicked("mug")
    now[0] = 301
    await products.viewed("mug")
    await products.flush()
    with sqlite3.connect(sandbox.data_dir / "sandbox.sqlite") as database:
        rows = database.execute(
            "SELECT doc ->> 'activityType', doc ->> '$.metadata.location' FROM activities"
            " WHERE doc ->> '$.metadata.sourceId' = ?",
            (room.room_id,),
        ).fetchall()
    assert sorted(rows) == [("linkClicked", "list"), ("view", "list"), ("view", "list"), ("view", "pinned")]


async def test_what_was_seen_and_clicked_is_told_to_the_host(sp: Any, viewer: Any) -> None:
    add = spnb.sandbox.add_product_async
    poster = await add("Poster <1>", product_id="poster", price=12, currency="EUR", sandbox=sp)
    assert poster == await sp.products.get("poster")
    room = await sp.rooms.create("counted shop")
    theirs = (await viewer.asynchronous.rooms.get(room.room_id)).products
    for unread in (lambda: theirs.tagged, lambda: theirs.pinned, lambda: len(theirs)):
        with pytest.raises(InvalidInput, match="not been read yet"):
            unread()
    await room.post()
    await room.products.tag(poster, "mug", "lamp")
    await theirs.viewed("poster", location="pinned")
    await theirs.viewed("poster")
    await theirs.clicked("poster")
    await theirs.viewed("mug")
    await theirs.flush()
    await room.products.viewed("poster")
    for call in (theirs.viewed, theirs.clicked):
        with pytest.raises(NotFound, match="nope"):
            await call("nope")
    with pytest.raises(InvalidInput, match="'nope' is not tagged: tagged are poster, mug, lamp"):
        await room.products.untag("nope", "mug")
    for wrong in ("banner", "", None):
        with pytest.raises(InvalidInput, match="'pinned' or 'list'"):
            await theirs.clicked("poster", location=wrong)  # type: ignore[arg-type]
    with pytest.raises(Forbidden, match="host of a room"):
        await theirs.activity()
    told = await room.products.activity()
    assert [(each.product_id, each.views, each.viewers, each.clicks, each.clickers) for each in told] == [
        ("poster", 3, 2, 1, 1),
        ("mug", 1, 1, 0, 0),
        ("lamp", 0, 0, 0, 0),
    ]
    assert told.df["product_name"].iloc[0] == "Poster <1>"
    assert "Poster &lt;1&gt;" in told._repr_html_()
    with pytest.raises(NotFound, match="'no-room' was not found"):
        await sp.products.activity("no-room")
    with pytest.raises(InvalidInput, match="refuses"):
        await add(" ", sandbox=sp)
    with pytest.raises(InvalidInput, match="active"):
        await add("Odd", status="sold", sandbox=sp)  # type: ignore[arg-type]


async def test_the_blocking_face(sp: Any, viewer: Any) -> None:
    room = (await sp.rooms.create("plain shop")).sync

    def shop() -> None:
        room.post()
        products = room.products
        assert products.manageable
        assert spnb.sandbox.add_product("Poster", product_id="poster", sandbox=viewer).product_id == "poster"
        products.tag("mug", "lamp")
        assert products.pin("mug") == products.pinned
        assert len(products) == len(products.refresh()) == 2
        assert next(iter(products.watch())).pinned_id == "mug"
        end = products.observe(lambda _tags: None)
        end()
        products.unpin()
        products.untag("mug")
        products.viewed("lamp")
        products.clicked("lamp")
        products.flush()
        assert "1 of 20" in repr(products)
        assert [(each.product_id, each.views, each.clicks) for each in products.activity()] == [("lamp", 1, 1)]
        found = list(viewer.products.query(keyword="lamp"))
        assert [product.product_id for product in found] == ["lamp"]

    await asyncio.to_thread(shop)
