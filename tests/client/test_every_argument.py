"""Every public argument refuses what it does not take: in words, before anything is done. That is a thing of another
kind, a word that is none of some, a text in place of a list. The arguments are found by walking the public names, so
new ones are held to it too."""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections.abc import Awaitable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spnb
from spnb._arguments import checked
from spnb._loop import run
from spnb.broadcast import AsyncBroadcast
from spnb.broadcast.options import Intent
from spnb.errors import ConfigError, InvalidInput, SandboxError, SpnbError
from tests.analytics.season import season
from tests.conftest import RunningSandbox
from tests.docs import REFERENCE

WORDS = re.compile(r"Literal\[|^(Sort|Kind|RoomType|Location|Codec)\b")
LISTS = re.compile(r"^(Sequence|Iterable)\[(str|Literal)")
FREE = re.compile(r"^(by|event|kind|metric|on|period|region|sort|statuses|time_zone)$")
"""Arguments that are plain `str`, since their words are many or grow, and yet take only some."""
DATA = (
    "spnb.analytics.Alert.",
    "spnb.analytics.PeriodReport.__init__",
    "spnb.sandbox.SandboxInfo.__init__",
    "spnb.webhooks.asked.Asked.",
    "spnb.webhooks.Delivery.",
    "spnb.widgets.StreamReport.__init__",
)
"""What carries such words, as they were told."""
HANDED_OUT = (
    *DATA,
    "spnb.analytics.Comparison.__init__",
    "spnb.errors.",
    "spnb.models.",
    "spnb.sync.live.reactions.LiveReactions.get",
    "spnb.widgets.Chat.send",
)
"""Data and errors, which say what they were told; and what others wrote whom we inherit from."""
LATER = re.compile(r"\.(close|aclose|logout|stop|download|recording|switch_source)$")
"""What would end the things that are asked, waits for a recording first, or is not for one off the air."""
NOT_OURS = ("spnb.models.Room.model_", "spnb.models.Room.schema", "spnb.models.Room.parse")
NONSENSE = "nonsense"


def named(name: str) -> Any:
    """What a dotted name stands for."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def public() -> Iterator[tuple[str, Any]]:
    """Every public function and method with its name; the async twins of what the reference names too."""
    names = [name for _, _, names in REFERENCE.values() for name in names]
    for name in names:
        thing = named(name)
        if not inspect.isclass(thing):
            yield name, thing
            continue
        for member, method in inspect.getmembers(thing, inspect.isroutine):
            if member == "__init__" or not member.startswith("_"):
                yield f"{name}.{member}", method


def arguments(kind: re.Pattern[str], names: re.Pattern[str] | None = None) -> list[tuple[str, str]]:
    """Arguments by their type, or of those names which take a text."""
    found = []
    for name, function in public():
        if name.startswith(NOT_OURS):
            continue
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            continue
        found += [
            (name, parameter.name)
            for parameter in parameters
            if kind.search(str(parameter.annotation))
            and (names is None or (names.match(parameter.name) and parameter.kind is not parameter.VAR_POSITIONAL))
        ]
    return sorted(set(found))


async def broadcast(room: Any) -> AsyncBroadcast:
    return AsyncBroadcast(room, spnb.TestCard(160, 90), Intent())


@pytest.fixture(scope="module")
def things(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """An object of each class whose methods are asked."""
    with (
        spnb.connect("every-argument", url=sandbox.url, api_key=sandbox.api_key) as sp,
        spnb.sandbox.faults(sp) as faults,
    ):
        room = sp.rooms.create("Every argument")
        parts = [getattr(sp, name) for name in vars(type(sp)) if isinstance(vars(type(sp))[name], property)]
        show = run(broadcast(room.asynchronous))
        found = [sp, *parts, room, room.asynchronous, room.chat, room.stage, room.products, room.reactions, faults]
        watched = spnb.analytics.load(season(streams=2, seed=1))
        found += [spnb.sandbox.webhooks(sp), watched, watched.report("s0"), show, show.sync]
        found += [
            spnb.sandbox.SandboxInfo.read(sandbox.info),
            spnb.webhooks.Receiver("a long secret", path=tmp_path_factory.mktemp("r") / "r"),
        ]
        found += [spnb.webhooks.Prehook("a long secret"), room.watch_session(), room.audience, sp.rooms.follow()]
        found += [spnb.LiveInvitations(sp), spnb.testing.SocialPlus(spnb.sandbox.SandboxInfo.read(sandbox.info))]
        yield {type(each).__name__: each for each in found}


def asked(name: str, things: dict[str, Any]) -> Any:
    """The function or bound method of this name; a class where it is how that is made."""
    owner, _, member = name.rpartition(".")
    thing = named(owner)
    if not inspect.isclass(thing):
        return named(name)
    return thing if member == "__init__" else getattr(things[thing.__name__], member)


async def of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def call(function: Any, argument: str, value: Any, given: dict[str, Any]) -> Any:
    """Call it with one argument that is nonsense, and with something for those that it needs."""
    parameters = list(inspect.signature(function).parameters.values())
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [each.name for each in parameters if each.default is each.empty and each.kind not in open_ended]
    by_name = {**{name: given.get(name, "x") for name in needed}, argument: value}
    several = [each.name for each in parameters if each.kind is each.VAR_POSITIONAL]
    at_place = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    places = [each.name for each in parameters if each.kind in at_place] if argument in several else []
    at_places = [by_name.pop(name) for name in places if name in by_name]
    result = function(*at_places, **by_name)
    if inspect.isawaitable(result):
        return run(of(result))
    return list(result) if inspect.isgenerator(result) or hasattr(result, "__next__") else result


def needed(things: dict[str, Any]) -> dict[str, Any]:
    """What is given for arguments that are needed."""
    given: dict[str, Any] = {"a": [], "b": [], "user_ids": ["x"], "start": "2026-01-01", "end": "2026-02-01"}
    return given | {"client": things["Client"], "room": things["LiveRoom"], "dataset": things["Dataset"]}


def silent(asked_about: list[tuple[str, str]], things: dict[str, Any], value: Any) -> list[str]:
    """The arguments that took nonsense, or were refused without a word about it."""
    wrong, given = [], needed(things)
    for name, argument in asked_about:
        try:
            told = call(asked(name, things), argument, value, given)
        except (InvalidInput, ConfigError) as error:
            if NONSENSE not in str(error) and argument not in str(error):
                wrong.append(f"{name}({argument}=…) is refused, but without a word about it: {error}")
        except (SpnbError, TypeError, AttributeError, ValueError, LookupError) as error:
            wrong.append(f"{name}({argument}=…): {error!r}")
        else:
            wrong.append(f"{name}({argument}=…) took it: {told!r}")
    return wrong


def test_words_that_are_none_are_refused(things: dict[str, Any]) -> None:
    assert len(arguments(WORDS)) > 25
    assert silent(arguments(WORDS), things, NONSENSE) == []


def test_texts_that_take_only_some_words_refuse_others(things: dict[str, Any]) -> None:
    free = [each for each in arguments(re.compile(r"^str\b"), FREE) if not each[0].startswith(DATA)]
    assert len(free) > 15
    wrong = silent(free, things, NONSENSE)
    assert not wrong, "\n".join(wrong)


def test_a_page_of_nothing_is_refused_at_the_call(things: dict[str, Any]) -> None:
    """Not where its answer is iterated, which may be far away, or never."""
    paged = arguments(re.compile(r"^int$"), re.compile(r"^page_size$"))
    paged = [each for each in paged if each[1] == "page_size"]
    assert len(paged) > 10
    given = {**needed(things), "reference_type": "post"}
    for name, argument in paged:
        function = asked(name, things)
        parameters = inspect.signature(function).parameters.values()
        wanted = {each.name: given.get(each.name, "x") for each in parameters if each.default is each.empty}
        for odd in (0, 101):
            with pytest.raises(InvalidInput, match=f"page_size is 1 to 100, not {odd}"):
                function(**wanted, **{argument: odd})


def test_a_text_is_no_list_of_texts(things: dict[str, Any]) -> None:
    assert len(arguments(LISTS)) > 25
    assert silent(arguments(LISTS), things, NONSENSE) == []


class Odd:
    """What no argument takes."""

    def __repr__(self) -> str:
        return NONSENSE


def test_what_is_of_another_kind_is_refused_in_words(
    things: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its annotation says: never an AttributeError from deep inside, and never taken."""
    monkeypatch.chdir(tmp_path)
    wrong, tried = [], 0
    for name, argument in arguments(re.compile(r"^(?!Any$|<class 'inspect|object$).")):
        owner, _, member = name.rpartition(".")
        there = member == "__init__" or not inspect.isclass(named(owner)) or named(owner).__name__ in things
        of_widgets = owner.startswith("spnb.widgets.") and member != "__init__"
        if not there or of_widgets or argument == "self" or name.startswith(HANDED_OUT) or LATER.search(name):
            continue
        tried += 1
        try:
            told = call(asked(name, things), argument, Odd(), needed(things))
        except (InvalidInput, ConfigError):
            continue
        except (SpnbError, TypeError, AttributeError, ValueError, LookupError) as error:
            wrong.append(f"{name}({argument}=…): {error!r}")
        else:
            wrong.append(f"{name}({argument}=…) took it: {told!r}")
    assert tried > 400
    assert not wrong, "\n".join(wrong)


WRONG = {
    str: (5, None, b"text", ["text"], datetime.now(UTC)),
    int: ("5", 5.5, True, None, timedelta(seconds=5)),
    float: ("5", True, None, math.nan, timedelta(seconds=5)),
    bool: ("no", 1, None),
}


@checked
def one_of_each(text: str, count: int, seconds: float, on: bool, at: datetime | None, names: Sequence[str]) -> Any:
    return text, count, seconds, on, at, names


def test_each_kind_is_told_from_what_resembles_it() -> None:
    right: dict[str, Any] = {
        "text": "a",
        "count": np.int64(3),
        "seconds": np.float32(2),
        "on": np.True_,
        "at": None,
        "names": ("a",),
    }
    assert one_of_each(**right) == tuple(right.values())
    for name, kind in (("text", str), ("count", int), ("seconds", float), ("on", bool)):
        for odd in WRONG[kind]:
            with pytest.raises(InvalidInput, match=name):
                one_of_each(**{**right, name: odd})
    with pytest.raises(InvalidInput, match=r"at is a datetime or None, not a text"):
        one_of_each(**{**right, "at": "2026-01-01"})
    with pytest.raises(InvalidInput, match=r"total_seconds"):
        one_of_each(**{**right, "seconds": timedelta(minutes=1)})
    with pytest.raises(InvalidInput, match=r"names is given as a list"):
        one_of_each(**{**right, "names": "a"})
    with pytest.raises(InvalidInput, match=r"names are of a text, not an Odd"):
        one_of_each(**{**right, "names": ["a", Odd()]})
    assert one_of_each(**{**right, "names": (each for each in "ab")})[-1] == ["a", "b"], "an iterator stands for a list"
    with pytest.raises(TypeError, match="missing"):
        one_of_each("a")  # type: ignore[call-arg]


def test_an_option_that_a_source_does_not_know_is_refused(things: dict[str, Any], tmp_path: Path) -> None:
    frames = season(streams=1, seed=1)
    things["Dataset"].save(saved := tmp_path / "saved")
    (tmp_path / "rooms.csv").write_text("room_id\na\n")
    for source in (frames, things["Dataset"], saved, tmp_path / "rooms.csv", things["Client"], things["SandboxInfo"]):
        with pytest.raises(InvalidInput, match="roms"):
            spnb.analytics.load(source, roms=["s0"])
        with pytest.raises(InvalidInput, match="filesystem"):
            spnb.analytics.load(source, filesystem=Odd())


def test_what_is_called_later_is_looked_at_now(things: dict[str, Any]) -> None:
    room, receiver, hook = things["LiveRoom"], things["Receiver"], things["Prehook"]
    for listens in (room.observe, receiver.on("room.live"), hook.on("message.shouldCreate")):
        for odd in (5, lambda: None, lambda one, two: None):
            with pytest.raises(InvalidInput, match=r"function|one argument"):
                listens(odd)
        listens(lambda one: None)
    with pytest.raises(InvalidInput, match="function"):
        spnb.off("room.live")  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="volume"):
        things["Broadcast"].volume = 0.5
    with pytest.raises(InvalidInput, match=r"give TestCard\("):
        room.go_live(spnb.TestCard)
    with pytest.raises(InvalidInput, match="rooms"):
        things["Faults"].add("server-error", match="rooms")
    with pytest.raises(ConfigError, match="user_id"):
        spnb.connect("", sandbox=things["Client"])
    with pytest.raises(InvalidInput, match="no time"):
        things["Dataset"].period(1, 2)


MADE_BY_USERS = ("errors", "models", "testing", "webhooks.Delivery", "webhooks.asked", "webhooks.rehearsal")
"""Plain data, and errors: whoever makes one says what it is."""


def test_what_is_handed_out_is_not_made(things: dict[str, Any]) -> None:
    classes = {named(name) for _, _, names in REFERENCE.values() for name in names if inspect.isclass(named(name))}
    classes |= {thing for name in spnb.__all__ if inspect.isclass(thing := getattr(spnb, name))}
    made, tried = [], 0
    for cls in classes:
        where = f"{cls.__module__}.{cls.__qualname__}"
        if where.startswith(tuple(f"spnb.{name}" for name in MADE_BY_USERS)) or issubclass(cls, BaseException):
            continue
        for given in ((object(),), (object(), object()), (things["LiveRoom"], object())):
            tried += 1
            try:
                cls(*given)
            except (InvalidInput, ConfigError, SandboxError, TypeError):
                continue  # in words, or as Python's own about the number of arguments
            except (SpnbError, AttributeError, ValueError, LookupError) as error:
                made.append(f"{where}{tuple(type(each).__name__ for each in given)}: {error!r}")
            else:
                made.append(f"{where}{tuple(type(each).__name__ for each in given)} was made")
    assert tried > 150
    assert not made, "\n".join(made)


def test_what_is_shown_of_a_thing_has_the_id_that_calls_take(things: dict[str, Any], sandbox: RunningSandbox) -> None:
    sp, room = things["Client"], things["LiveRoom"]
    assert "sandbox at" in repr(sp)
    post, message = room.post(), room.chat.send("shown")
    comment = sp.comments.create(post.children[0], "a comment")
    spnb.connect("every-guest", url=sandbox.url, api_key=sandbox.api_key).close()
    invitation = room.invite("every-guest")
    fault, hook = things["Faults"].add("drop", match="never"), spnb.sandbox.webhooks(sp).add(HOOK, "long enough")
    for thing, called in (
        (room, room.room_id),
        (room.record, room.room_id),
        (post, post.post_id),
        (message, message.message_id),
        (room.chat, room.live_channel_id),
        (room.chat.channel, room.chat.channel.channel_id),
        (comment, comment.comment_id),
        (invitation, invitation.invitation_id),
        (sp.products.get("mug"), "mug"),
        (sp.users.get("every-guest"), "every-guest"),
        (sp.communities.get("sandbox"), "sandbox"),
        (fault, fault.fault_id),
        (hook, hook.webhook_id),
    ):
        assert called in repr(thing)[:100], "the id is among what is shown first"
    for unread in (sp.rooms.follow(), spnb.LiveInvitations(sp), sp.rooms.get(room.room_id).products):
        assert "not read yet" in repr(unread)
    assert "not counted yet" in repr(sp.rooms.get(room.room_id).audience)
    things["Faults"].remove(fault)
    spnb.sandbox.webhooks(sp).remove(hook)


HOOK = "http://127.0.0.1:9/hook"
