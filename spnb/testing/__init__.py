"""Test your own app against social.plus's wire, in any language: pytest fixtures on sandboxes that start virgin.

The plugin comes with spnb; nothing needs to be imported:

    def test_the_bot_greets(social_plus, live_room):
        run_my_bot(social_plus.environment)     # whatever language it is written in
        assert next(iter(live_room.chat.watch())).text == "Welcome!"

| fixture | what it is |
|---|---|
| `social_plus` | a network of this test's own (`SocialPlus`): `url`, `api_key`, `environment`, `connect()` |
| `live_room` | a room of it that is on air with a test card, as a blocking `LiveRoom` |
| `viewers` | `viewers(20, seconds=10)` sends simulated people into `live_room` |
| `faults` | `faults.add("rate-limit", times=2)`: have that network misbehave |

Single calls misbehave by a header of their own, whoever sends them: `X-Sandbox-Fault: rate-limit; retry-after=1`.
"""

from __future__ import annotations

from spnb.testing.network import Reserve, SocialPlus

__all__ = ["Reserve", "SocialPlus"]
