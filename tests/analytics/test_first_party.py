"""What an administrator takes away, and who saw a post, joined with what was captured."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import pandas as pd
import pytest

import spnb
from spnb import analytics
from spnb.client import Client
from spnb.errors import DownloadError, Forbidden, InvalidInput, NotFound, SpnbError, TableError, Unauthorized
from spnb.live import LiveRoom
from tests.conftest import RunningSandbox

LIVE = pd.Timestamp("2026-03-01T18:00Z")


def connected(sandbox: RunningSandbox, user_id: str) -> Client[LiveRoom]:
    return spnb.connect(user_id, url=sandbox.url, api_key=sandbox.api_key)


def admin_token_of(sp: Client[LiveRoom], sandbox: RunningSandbox) -> str:
    headers = {"Authorization": f"Bearer {sp.access_token()}"}
    answer = httpx.post(f"{sandbox.url}/api/v1/admin-token", headers=headers, json={}, trust_env=False, timeout=60)
    return str(answer.raise_for_status().json()["adminToken"])


def test_who_saw_the_post_beside_who_watched_wrote_and_reacted(sandbox: RunningSandbox) -> None:
    with connected(sandbox, "reach-host") as host, connected(sandbox, "reach-ann") as ann:
        with connected(sandbox, "reach-ben") as ben:
            room, bare = host.rooms.create("Reached", chat=False), host.rooms.create("Bare", chat=False)
            post = room.post(text="come and see")
            ann.users.update(display_name="Ann B")
            ann.posts.mark_viewed(post.post_id)
            ann.posts.mark_viewed(post.post_id)
            ben.posts.mark_viewed(post.children[0])  # the child, as a player may report it
            assert [user.user_id for user in host.posts.reached(post.post_id, page_size=1)] == ["reach-ann"]
            told = host.posts.get(post.post_id)
            assert (told.impression, told.reach) == (2, 1)
        rooms = pd.DataFrame({"room_id": [room.room_id, bare.room_id], "live_at": LIVE})
        views = pd.DataFrame({"room_id": [room.room_id], "user_id": ["reach-ann"], "start": LIVE, "end": LIVE})
        messages = pd.DataFrame({"room_id": [room.room_id], "user_id": ["reach-ben"], "created_at": LIVE})
        dataset = analytics.load({"rooms": rooms, "views": views, "messages": messages})
        made = analytics.post_reach(dataset, host).set_index("user_id")
        assert made.index.tolist() == ["reach-ann", "reach-ben"]
        assert (made["post_id"] == post.post_id).all()
        assert made["watched"].tolist() == [True, False]
        assert made["wrote"].tolist() == [False, True]
        assert made["reacted"].isna().all()  # no table could know
        assert made.loc["reach-ann", "display_name"] == "Ann B"
        assert made.attrs == {"without_post": 1, "unreadable": 0}
        alone = analytics.post_reach(dataset, host, room_ids=[bare.room_id])
        assert (len(alone), alone.attrs["without_post"]) == (0, 1)
        assert not analytics.post_reach(dataset, host, room_ids=[room.room_id]).attrs["without_post"]
        post_of_others = analytics.load({"rooms": pd.DataFrame({"room_id": ["no-such-room"], "live_at": LIVE})})
        assert analytics.post_reach(post_of_others, host).attrs["unreadable"] == 1
        room.client.posts.delete(post.post_id)
        with pytest.raises(NotFound):
            list(ann.posts.reached(post.post_id))
        assert [user.user_id for user in host.posts.reached(post.post_id)] == ["reach-ann"]
    with pytest.raises(InvalidInput, match="a client"):
        analytics.post_reach(dataset, sandbox)


def test_an_administrator_exports_tables_which_join_own_captures(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with connected(sandbox, "party-host") as host, connected(sandbox, "party-ann") as ann:
        host.users.update(display_name="=HYPERLINK(1)", metadata={"country": "DE"})
        ann.users.update(metadata={"country": "FR", "note": 'a "quoted", line\nbreak'})
        community = host.communities.create("Party of the first part", user_ids=["party-ann"])
        room = host.rooms.create("Exported", chat=False)
        room.post(text="in the export", community_id=community.community_id)
        token = admin_token_of(host, sandbox)
        file = host.first_party.export("users", tmp_path / "users.csv", admin_token=token)
        assert [path.name for path in tmp_path.iterdir()] == ["users.csv"]
        users = pd.read_csv(file)
        mine = users[users["userId"].isin(["party-host", "party-ann"])].set_index("userId")
        country = mine["metadata"].map(lambda text: pd.io.json.ujson_loads(text)["country"])
        assert country.to_dict() == {"party-host": "DE", "party-ann": "FR"}
        for kind, column, wanted in (
            ("communities", "communityId", community.community_id),
            ("community_members", "communityId", community.community_id),
            ("posts_last_90d", "targetId", community.community_id),
            ("comments_last_90d", "commentId", None),
            ("reactions_last_90d", "reactionId", None),
            ("roles", "roleId", "community-moderator"),
        ):
            with host.first_party.export(kind, tmp_path / f"{kind}.csv", admin_token=token).open(newline="") as lines:
                rows = list(csv.DictReader(lines))
            assert wanted is None or wanted in {row[column] for row in rows}, kind
        members = pd.read_csv(tmp_path / "community_members.csv")
        ours = members[members["communityId"] == community.community_id]
        assert set(ours["userId"]) == {"party-host", "party-ann"}

        # the export is a dimension of an own capture
        views = {"room_id": ["r"] * 3, "user_id": ["party-host", "party-ann", "stranger"], "start": LIVE}
        tables = {"rooms": {"room_id": ["r"], "live_at": LIVE}, "views": {**views, "end": LIVE + pd.Timedelta("60s")}}
        dataset = analytics.load({name: pd.DataFrame(columns) for name, columns in tables.items()})
        known = country.rename("country").rename_axis("user_id").reset_index()
        made = dataset.joined(known)
        assert analytics.grouped(made, "country")["unique_viewers"].to_dict() == {"DE": 1, "FR": 1}
        assert made.quality.rows("not in what was joined on user_id") == 1
        with pytest.raises(TableError, match="several rows for user_id 'party-"):
            dataset.joined(pd.concat([known, known]))
        with pytest.raises(TableError, match="no column 'user_id'"):
            dataset.joined(pd.DataFrame({"x": []}))
        with pytest.raises(TableError, match="title would stand for two things"):
            dataset.joined(pd.DataFrame({"user_id": ["a"], "title": ["t"]}))
        with pytest.raises(TableError, match="saved files have user for themselves"):
            dataset.joined(pd.DataFrame({"user_id": ["a"], "user": ["Ada"]}))
        with pytest.raises(InvalidInput, match="joined on"):
            dataset.joined(known, on="country")


def test_a_community_by_day_and_in_all(sandbox: RunningSandbox) -> None:
    with connected(sandbox, "metric-host") as host, connected(sandbox, "metric-ann") as ann:
        community = host.communities.create("Measured", user_ids=["metric-ann"])
        room = host.rooms.create("Counted", chat=False)
        post = room.post(text="count me", community_id=community.community_id)
        ann.comments.create(post.post_id, "first")
        ann.reactions.add(post.post_id, "post", "like")
        token = admin_token_of(host, sandbox)
        today = pd.Timestamp.now("UTC").normalize()
        span = ((today - pd.Timedelta("2D")).date(), (today + pd.Timedelta("1D")).date())
        told = host.first_party.community_metrics(community.community_id, *span, admin_token=token)
        days = pd.DataFrame(told["metrics"])
        assert len(days) == 4
        assert days["members"].tolist()[0] == 0
        assert days["members"].tolist()[-1] == 2
        posts = 2  # a room's post is a parent with a child
        sums = days[["posts", "comments", "reactions", "activities", "newMembers"]].sum().tolist()
        assert sums == [posts, 1, 1, posts + 2, 2]
        assert told["mostActiveDay"] in {f"{today:%A}", f"{today + pd.Timedelta('1D'):%A}"}
        whole = host.first_party.community_metrics(community.community_id, *span, by="all", admin_token=token)
        assert [row["activities"] for row in whole["metrics"]] == [posts + 2]
        with pytest.raises(NotFound):
            host.first_party.community_metrics("nothing", *span, admin_token=token)


def test_without_an_administrators_token_there_is_nothing(sandbox: RunningSandbox, tmp_path: Path) -> None:
    with connected(sandbox, "plain") as sp:
        place = tmp_path / "users.csv"
        place.write_text("what was there")
        for token, refusal in ((sp.access_token(), Forbidden), ("no token at all", Unauthorized), (" ", InvalidInput)):
            with pytest.raises(refusal) as refused:
                sp.first_party.export("users", place, admin_token=token)
            assert not token.strip() or token not in str(refused.value)
        token = admin_token_of(sp, sandbox)
        with pytest.raises(SpnbError, match="kind is"):
            sp.first_party.export("everything", place, admin_token=token)
        with pytest.raises(SpnbError, match="did not lead to a file"):
            sp.first_party.export("users", place, admin_token=token, address="/api/v3/users")
        with pytest.raises(DownloadError, match="cannot be written"):
            sp.first_party.export("users", tmp_path / "missing" / "users.csv", admin_token=token)
        assert place.read_text() == "what was there"
        assert [path.name for path in tmp_path.iterdir()] == ["users.csv"]
        guess = httpx.get(f"{sandbox.url}/exports/guessed.csv", trust_env=False, timeout=60)
        assert guess.status_code == 404
