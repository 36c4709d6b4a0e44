"""The table of the SDK's functions names them all, and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.vendor.calls import table
from tests.vendor.clients import SdkClient


async def test_every_function_of_the_sdk_is_in_the_table(host: SdkClient) -> None:
    functions = await host.page.evaluate("window.functions")
    assert sorted(table()) == sorted(functions)
    states = [state for state, _ in table().values()]
    assert (set(states), states.count("test") > 300) == ({"test", "not ours"}, True)


def test_the_tests_that_it_names_are_there() -> None:
    here = Path(__file__).parent
    for state, test in table().values():
        if state == "test":
            module, _, name = test.partition("::")
            assert re.search(rf"def {name}\b", (here / f"{module}.py").read_text()), test
