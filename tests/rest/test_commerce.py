"""Products on the wire: the catalogue, tags and the pin, who may, views and clicks; reactions and watch sessions."""

from __future__ import annotations

from typing import Any

from tests.conftest import RunningSandbox
from tests.rest.conftest import Caller


def test_the_catalogue_is_searched_and_grown(sandbox: RunningSandbox, host: Caller) -> None:
    names = [product["productName"] for product in host.get("/api/v1/products/search")["products"]]
    assert "Enamel mug" in names
    first = host.get("/api/v1/products/search", **{"sortBy": "productName", "sortOrder": "asc", "options[limit]": 2})
    rest = host.get("/api/v1/products/search", **{"sortBy": "productName", "options[token]": first["paging"]["next"]})
    assert len(first["products"]) == 2
    assert rest["products"]
    body = {"productId": "old", "productName": "Old thing", "status": "archived"}
    assert host.post("/sandbox/products", body, expect=401)
    host.http.headers["X-API-Key"] = sandbox.api_key
    host.post("/sandbox/products", body)
    made = host.post("/sandbox/products", {"productName": "Lens cloth", "price": 3, "currency": "EUR"})["products"][0]
    assert host.get(f"/api/v1/products/{made['productId']}")["products"] == [made]
    assert host.get("/api/v1/products/none", expect=404)
    found = host.get("/api/v1/products/search", keyword="LENS", isActive="true")["products"]
    assert [product["productId"] for product in found] == [made["productId"]]
    archived = host.get("/api/v1/products/search", isActive="false")["products"]
    assert [product["productId"] for product in archived] == ["old"]
    clicked = {"contentId": "mug", "contentType": "product", "activityType": "linkClicked"}
    host.post("/api/v1/analytics/activities", {"activities": [clicked]}, expect=202)
    host.post("/api/v1/analytics/activities", {"activities": []}, expect=422)


def test_products_are_the_childs_and_whose_right_it_is(host: Caller, guest: Caller) -> None:
    room = host.room()
    made = host.room_post(room, productTags=[{"productId": "mug"}], pinnedProductId="mug")
    parent, child = made["posts"][0], made["postChildren"][0]
    assert (parent["productTags"], child["productTags"]) == ([], [{"productId": "mug"}])
    assert child["pinnedProductId"] == "mug"
    assert [product["productId"] for product in made["products"]] == ["mug"]
    own = f"/api/v4/posts/{child['postId']}"
    told = host.call("PUT", f"/api/v4/posts/{parent['postId']}", {"productTags": []}, expect=400)
    assert "child" in told["message"]
    # A swap needs a tag first; what is archived or unknown is no product to tag.
    assert host.call("PUT", own, {"pinnedProductId": "lamp"}, expect=400)
    assert host.call("PUT", own, {"productTags": [{"productId": "nothing"}]}, expect=404)
    many = [{"productId": f"p{number}"} for number in range(21)]
    assert host.call("PUT", own, {"productTags": many}, expect=422)
    both = [{"productId": "lamp"}, {"productId": "mug"}, {"productId": "lamp"}]
    post = host.call("PUT", own, {"productTags": both})["posts"][0]
    assert [tag["productId"] for tag in post["productTags"]] == ["lamp", "mug"]
    assert post["pinnedProductId"] == "mug"
    # A guest may not; a co-host may once it is granted, and may change nothing else.
    assert guest.call("PUT", own, {"pinnedProductId": "lamp"}, expect=403)
    invitation = host.post("/api/v1/invitations", {"targetId": room["roomId"], "userIds": ["guest"]})["invitations"][0]
    guest.post(f"/api/v1/invitations/{invitation['invitationId']}/accept")
    assert guest.call("PUT", own, {"pinnedProductId": "lamp"}, expect=403)
    path = f"/api/v1/rooms/{room['roomId']}/participants/guest"
    host.call("PUT", path, {"canManageProductTags": True})
    assert guest.call("PUT", own, {"pinnedProductId": "lamp"})["posts"][0]["pinnedProductId"] == "lamp"
    assert guest.call("PUT", own, {"pinnedProductId": None, "tags": ["t"]}, expect=403)
    dropped = guest.call("PUT", own, {"productTags": [{"productId": "mug"}]})["posts"][0]
    assert dropped["pinnedProductId"] is None


def test_a_floating_reaction_sent_again_is_the_same(host: Caller, guest: Caller) -> None:
    room = host.room()
    post = host.room_post(room)["postChildren"][0]
    heart: dict[str, Any] = {"referencePublicId": post["postId"], "reactionName": "heart"}
    body = {
        "roomId": room["roomId"],
        "reactions": [{**heart, "occurredAt": f"2026-01-01T00:00:00.00{number}Z"} for number in range(3)],
    }
    first = guest.post("/api/v1/reactions/live", body, expect=202)["addedIds"]
    assert len(set(first)) == 3
    assert guest.post("/api/v1/reactions/live", body, expect=202)["addedIds"] == first
