"""The pytest plugin: fixtures for people who test their own app. Loads nothing heavy until a fixture is asked for."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from spnb.live import LiveRoom
    from spnb.sync.sandbox.audience.simulation import Simulation
    from spnb.sync.sandbox.control.faults import Faults
    from spnb.testing import Reserve, SocialPlus


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one setting: options of the sandboxes behind the tests."""
    parser.addini(
        "spnb_sandbox_options",
        "options of `python -m spnb.sandbox` for the networks of tests",
        default="--grace 3",
    )


@pytest.fixture(scope="session")
def social_plus_reserve(request: pytest.FixtureRequest) -> Iterator[Reserve]:
    """Where `social_plus` takes its networks from."""
    from spnb.testing import Reserve

    with Reserve(*shlex.split(request.config.getini("spnb_sandbox_options"))) as reserve:
        yield reserve


@pytest.fixture
def social_plus(social_plus_reserve: Reserve) -> Iterator[SocialPlus]:
    """A network of this test's own: empty, with its address and key. Ends after the test."""
    network = social_plus_reserve.take()
    yield network
    network.close()


@pytest.fixture
def live_room(social_plus: SocialPlus) -> Iterator[LiveRoom]:
    """A room that the user `host` has on air with a test card; it ends after the test."""
    room = social_plus.connect("host").rooms.create("A room on air")
    with room.go_live():
        room.until("live", timeout=30)
        yield room


@pytest.fixture
def viewers(live_room: LiveRoom, social_plus: SocialPlus) -> Iterator[Callable[..., Simulation]]:
    """`viewers(20, seconds=10)`: simulated people in `live_room`; words and options as for `spnb.sandbox.simulate`."""
    import spnb

    made: list[Simulation] = []

    def send(viewers: int = 10, **options: Any) -> Simulation:
        made.append(spnb.sandbox.simulate(live_room, viewers=viewers, sandbox=social_plus.sandbox, **options))
        return made[-1]

    yield send
    for simulation in made:
        simulation.stop()


@pytest.fixture
def faults(social_plus: SocialPlus) -> Iterator[Faults]:
    """Faults on demand of this test's network; cleared after the test."""
    import spnb

    with spnb.sandbox.faults(social_plus.sandbox) as made:
        yield made
