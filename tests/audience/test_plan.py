"""The plan of a live audience: the same for a seed, and possible in every detail."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spnb.errors import InvalidInput
from spnb.sandbox.audience.plan import plan_audience, timeline

PLANS = {
    "viewers": st.integers(1, 120),
    "seconds": st.floats(1, 600),
    "seed": st.integers(0, 2**40),
    "chattiness": st.floats(0, 4),
    "moments": st.none() | st.integers(0, 5),
}


@settings(max_examples=60, deadline=None)
@given(beat=st.floats(1, 60), **PLANS)
def test_every_plan_is_possible(beat: float, **sizes: object) -> None:
    plan = plan_audience(**sizes)  # type: ignore[arg-type]
    seconds = plan.seconds + 0.001
    assert {session.viewer for session in plan.sessions} == set(range(plan.viewers))
    present: dict[int, list[tuple[float, float]]] = {}
    for session in plan.sessions:
        assert 0 <= session.start <= session.end <= seconds
        present.setdefault(session.viewer, []).append((session.start, session.end))
    for stretches in present.values():
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(stretches))

    def there(viewer: int, at: float) -> bool:
        return any(start <= at <= end for start, end in present[viewer])

    assert [said.number for said in plan.messages] == list(range(len(plan.messages)))
    for said in plan.messages:
        assert there(said.viewer, said.at)
        assert said.reply_to is None or plan.messages[said.reply_to].at <= said.at - 0.99
    on_things = [reaction for reaction in plan.reactions if reaction.to != "floating"]
    assert len({(each.viewer, each.subject, each.name) for each in on_things}) == len(on_things)
    for reaction in plan.reactions:
        assert there(reaction.viewer, reaction.at)
        if reaction.subject is not None:
            assert plan.messages[reaction.subject].at <= reaction.at
    # The steps of concurrency add up to the time spent.
    steps = plan.concurrency()
    assert steps[-1][1] == 0
    area = sum(count * (after - at) for (at, count), (after, _) in itertools.pairwise(steps))
    assert area == pytest.approx(sum(session.end - session.start for session in plan.sessions))
    assert plan.peak <= plan.viewers
    # Played, it is in order, complete, and nobody acts outside their sessions.
    acts = list(timeline(plan, beat=beat))
    assert [act.at for act in acts] == sorted(act.at for act in acts)
    counted = {kind: sum(act.kind == kind for act in acts) for kind in ("join", "leave", "say")}
    assert counted == {"join": len(plan.sessions), "leave": len(plan.sessions), "say": len(plan.messages)}
    assert sum(len(act.reactions) for act in acts) == len(plan.reactions)
    assert all(there(act.viewer, act.at) for act in acts)
    assert plan_audience(**sizes) == plan  # type: ignore[arg-type]


def test_what_is_planted_shows() -> None:
    plan = plan_audience(viewers=400, seconds=300, seed=3, moments=3)
    assert len(plan.moments) == 3
    assert any(session.again for session in plan.sessions)
    assert {said.kind for said in plan.messages} == {"chat", "question", "burst", "troll"}
    assert {said.viewer for said in plan.messages if said.kind == "troll"} == {plan.troll}
    for moment in plan.moments:
        around = sum(moment.at <= said.at < moment.at + 10 for said in plan.messages)
        before = sum(moment.at - 10 <= said.at < moment.at for said in plan.messages)
        assert around > 1.5 * before
    quiet = plan_audience(viewers=400, seconds=300, seed=3, chat=False, post=False)
    assert quiet.messages == ()
    assert quiet.reactions == ()
    assert quiet.sessions == plan_audience(viewers=400, seconds=300, seed=3).sessions
    assert plan_audience(viewers=400, seconds=300, seed=4, moments=3) != plan


def test_sizes_have_bounds() -> None:
    for wrong in (
        {"viewers": 0},
        {"viewers": 10**9},
        {"seconds": 0.5},
        {"seconds": float("nan")},
        {"seed": -1},
        {"chattiness": -1},
        {"moments": -1},
        {"viewers": 20_000, "seconds": 21_600, "chattiness": 60},
    ):
        with pytest.raises(InvalidInput):
            plan_audience(**{"viewers": 10, "seconds": 10, "seed": 1, **wrong})  # type: ignore[arg-type]
