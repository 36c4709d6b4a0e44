"""A subscriber's line: what it carries, told by the subscriber's own estimate, and which layers go over it.

livekit-server 1.9 works alike by default: it stamps packets (`abs-send-time`), libwebrtc answers with an estimate
(REMB), the best layers are sent until that shows that they are too much, and better ones are tried by sending more for
a moment. That estimate can fall, but rises slowly and says nothing while less is sent than the line carries; so probes
carry transport-wide numbers besides, and are given up as soon as their arrivals show that a queue builds up. The lowest
layer of everything is always sent: a picture that is small is better than none.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping

from spnb.sandbox.media import rtp
from spnb.sandbox.media.forward import Forward
from spnb.sandbox.media.rtp import Arrivals, Feedback

__all__ = ["Downlink"]

RATE_SECONDS = 1.0
DROP = 0.97
"""An estimate that falls below this share of the one before is a sign that the line is full."""
OVERSHOOT = 0.7
"""An estimate below this share of what is sent is proof at once; one that is nearer has to fall twice."""
TWICE_SECONDS = 2.0
LOSS = 0.2
"""More than that lost: a full line that drops instead of queueing (weather loses less)."""
LOSS_SECONDS = 0.3
LOSS_PACKETS = 60
"""Fewer tell too little: of 25, one in thirty samples shows twice the loss there is."""
REACTION_SECONDS = 1.5
"""So long what is heard may be the echo of what was sent before the last change."""
DRAIN_SECONDS = 0.3
ASKED_SECONDS = 0.5
RESEND_SHARE = 0.3
RESEND_LEAST = 200_000.0
CALM_SECONDS = 2.0
HEADROOM = 1.1
PROBE_STEP_SECONDS = 0.02
PROBE_GROWTH_PER_SECOND = 1.8
PROBE_QUEUE_SECONDS = 0.04
"""A probe whose packets arrive that much later than its first ones has found the line's end."""
PROBE_HOLD_SECONDS = 0.5
PROBE_MOST_SECONDS = 8.0
PATIENCE_SECONDS = 5.0
PATIENCE_MOST_SECONDS = 120.0
PROVEN_SECONDS = 20.0
"""A better layer that was kept so long was right to take."""


class Downlink:
    """Chooses layers for one subscriber.

    Args:
        forwards: what it is sent, by SSRC; the owner's own mapping.
        on_pause: told of a picture for which the line is too narrow, where that may be paused.
    """

    def __init__(self, forwards: Mapping[int, Forward], on_pause: Callable[[Forward], None] = lambda _: None) -> None:
        self._forwards = forwards
        self._on_pause = on_pause
        self.allow_pause = False
        """Whether pictures may be paused that the line does not carry even at their lowest layer."""
        self.capacity = math.inf
        """What the line carries as far as is known, bits per second."""
        self.estimate: int | None = None
        """The subscriber's last own estimate, bits per second."""
        self.loss = 0.0
        """Share of packets lost, of the worst source in the last report."""
        self.round_trip: float | None = None
        """Seconds, once a report has told."""
        self._fell_at = -math.inf
        self._counted: dict[int, tuple[float, int, int]] = {}
        self._asked: dict[int, tuple[float, int, int]] = {}
        self._resendable = 0.0
        self._refilled_at = 0.0
        self._congested_at = -math.inf
        self._raised_at = -math.inf
        self._patience = PATIENCE_SECONDS
        self._sent: deque[tuple[float, int]] = deque()
        self._gone_octets = 0
        self._probe: _Probe | None = None
        self.number = 0
        """The next transport-wide number. Probes go on counting: of a number that was used before, receivers tell when
        it came then."""

    def hear(self, feedback: Feedback) -> None:
        """Take a subscriber's RTCP: send again what it missed, ask for key frames, learn of its line."""
        now = time.monotonic()
        for ssrc in feedback.keyframes:
            # What was asked before the last key frame can have arrived is answered by that one.
            if (forward := self._forwards.get(ssrc)) is not None and not (
                self.round_trip and forward.layer and forward.layer.keyframe_within(min(self.round_trip, ASKED_SECONDS))
            ):
                forward.request_keyframe()
        for ssrc, sequences in feedback.lost:
            if (forward := self._forwards.get(ssrc)) is not None:
                budget = self._budget(now)
                self._resendable = budget - forward.resend(sequences, budget, self.round_trip)
                self._hear_asked(forward, now)
        if self._probe is not None:
            for arrivals in feedback.arrivals:
                self._probe.hear(arrivals)
        if feedback.blocks:
            self._hear_loss(feedback, now)
        if feedback.bandwidth is not None:
            self._hear_estimate(feedback.bandwidth, now)

    def _hear_asked(self, forward: Forward, now: float) -> None:
        """What is asked for again is known before any report: on a narrow line that saves a second at the beginning."""
        since, sent, asked = self._asked.setdefault(forward.ssrc, (now, forward.packets, forward.asked))
        expected = forward.packets - sent
        if now - since < LOSS_SECONDS or expected < LOSS_PACKETS:
            return
        self._asked[forward.ssrc] = (now, forward.packets, forward.asked)
        share = (forward.asked - asked) / expected
        if share > LOSS:
            self._congested(self.rate(now) * (1 - min(1.0, share)), now)

    def _hear_loss(self, feedback: Feedback, now: float) -> None:
        blocks = [block for block in feedback.blocks if block.ssrc in self._forwards]
        if not blocks:
            return
        told = [block for block in blocks if block.last_report]
        if told:
            ticks = (int((time.time() + rtp.NTP_EPOCH_OFFSET) * 65536) - told[0].last_report - told[0].delay) % 2**32
            self.round_trip = ticks / 65536 if ticks < 10 * 65536 else self.round_trip
        for block in blocks:
            since, lost, highest = self._counted.setdefault(block.ssrc, (now, block.lost, block.highest))
            expected = block.highest - highest
            if now - since < LOSS_SECONDS or expected < LOSS_PACKETS:
                continue
            self._counted[block.ssrc] = (now, block.lost, block.highest)
            self.loss = min(1.0, max(0.0, (block.lost - lost) / expected))
            if self.loss > LOSS:
                self._congested(self.rate(now) * (1 - self.loss), now)

    def _budget(self, now: float) -> float:
        """How many bytes may be sent again now."""
        share = max(RESEND_LEAST, RESEND_SHARE * sum(f.layer.bitrate for f in self._forwards.values() if f.layer)) / 8
        self._resendable = min(share, self._resendable + share * (now - self._refilled_at))
        self._refilled_at = now
        return self._resendable

    def _hear_estimate(self, estimate: int, now: float) -> None:
        before, self.estimate = self.estimate, estimate
        rate = self.rate(now)
        if before is not None and estimate >= before * DROP:
            if self.capacity < math.inf:
                self.capacity = max(self.capacity, estimate)
            return
        if estimate >= rate * HEADROOM or (before is None and estimate >= rate * OVERSHOOT):
            return  # it fell from where we do not send
        twice = now - self._fell_at < TWICE_SECONDS
        self._fell_at = now
        if twice or estimate < rate * OVERSHOOT or self._probe is not None:
            self._congested(estimate, now)

    def rate(self, now: float) -> float:
        """Bits per second sent over the last second."""
        octets = sum(forward.octets for forward in self._forwards.values())
        while len(self._sent) > 1 and now - self._sent[1][0] >= RATE_SECONDS:
            self._sent.popleft()
        if not self._sent:
            return 0.0
        began, before = self._sent[0]
        return max(0.0, 8 * (octets - before)) / max(now - began, 0.1)

    def _congested(self, capacity: float, now: float) -> None:
        if now - self._congested_at < REACTION_SECONDS:
            return
        if self._probe is not None or now - self._raised_at < PROVEN_SECONDS:
            self._patience = min(self._patience * 2, PATIENCE_MOST_SECONDS)
        self._probe = None
        self._raised_at = -math.inf
        self._congested_at = now
        self.capacity = capacity
        videos = self._videos()
        left = self.capacity - sum(f.layer.bitrate for f in self._forwards.values() if f not in videos and f.layer)
        granted = dict.fromkeys(videos, 1)
        left -= sum(_cost(forward, 1) for forward in videos)
        if self.allow_pause:
            for forward in reversed(videos):
                if left < 0:
                    granted[forward] = 0
                    left += _cost(forward, 1)
        for rank in (2, 3):
            for forward in videos:
                more = _cost(forward, rank) - _cost(forward, granted[forward])
                if granted[forward] == rank - 1 and more <= left:
                    granted[forward] = rank
                    left -= more
        for forward, rank in granted.items():
            if rank == 0 < forward.granted:
                forward.withhold()
                self._on_pause(forward)
            elif rank < forward.granted:
                forward.granted = rank
                if forward.track.best_layer(min(rank, forward.most)) is not forward.layer:
                    # What is too much would only be in the way of the next layer's key frame, and so would what waits.
                    forward.hold(DRAIN_SECONDS)
        self._asked.clear()
        self._resendable = RESEND_LEAST / 8

    def _videos(self) -> list[Forward]:
        return list(filter(self._is_shown, self._forwards.values()))

    @staticmethod
    def _is_shown(forward: Forward) -> bool:
        return forward.track.kind == "video" and forward.started and not forward.paused

    def _better(self) -> tuple[Forward, float] | None:
        """The forward that should be raised next and the bits per second that takes; None where all have their fill."""
        short = [
            (forward, more)
            for forward in self._forwards.values()
            if forward.granted < forward.most
            and self._is_shown(forward)
            and (more := _cost(forward, 3) - _cost(forward, forward.granted)) > 0
        ]
        if not short:
            return None
        forward = min(short, key=lambda pair: pair[0].granted)[0]
        return forward, _cost(forward, forward.granted + 1) - _cost(forward, forward.granted)

    def tick(self) -> None:
        """A few times a second: grant better layers where the line carries them, try it where that is not known."""
        now = time.monotonic()
        self._sent.append((now, sum(forward.octets for forward in self._forwards.values())))
        if now - self._raised_at > PROVEN_SECONDS and self._raised_at > 0:
            self._patience, self._raised_at = PATIENCE_SECONDS, -math.inf
        better = self._better()
        if better is None or now - self._congested_at < CALM_SECONDS:
            return
        forward, more = better
        if not forward.granted:
            # Of what is not sent nothing is left to probe with: it is tried.
            if now - self._congested_at >= self._patience:
                self._raise(forward, now)
            return
        needed = (sum(f.layer.bitrate for f in self._forwards.values() if f.layer) + more) * HEADROOM
        if needed <= self.capacity:
            self._raise(forward, now)
        elif self._probe is None and now - self._congested_at >= self._patience:
            self._probe = _Probe(self, goal=needed, now=now)
            self._step()

    def _raise(self, forward: Forward, now: float) -> None:
        forward.granted += 1
        self._raised_at = now
        forward.choose()

    def _step(self) -> None:
        probe, now = self._probe, time.monotonic()
        if probe is None:
            return
        done = probe.step(now, self._videos())
        if done is None:
            asyncio.get_running_loop().call_later(PROBE_STEP_SECONDS, self._step)
            return
        self._probe = None
        if done:
            self.capacity = max(self.capacity, probe.goal)
        else:
            self._congested_at = now
            self._patience = min(self._patience * 2, PATIENCE_MOST_SECONDS)

    def admit(self, forward: Forward) -> None:
        """A new forward begins low where the line is known to be narrow."""
        if self.capacity < math.inf:
            forward.granted = 1

    def close(self) -> None:
        """The subscriber is gone."""
        self._probe = None


class _Probe:
    """Sends more and more for a moment, up to what a better layer would need, and listens how that arrives."""

    def __init__(self, line: Downlink, *, goal: float, now: float) -> None:
        self.goal = goal
        self._line = line
        self._base = max(line.rate(now), 50_000.0)
        self._began = self._last = now
        self._owed = 0.0
        self._reached: float | None = None
        self._sent: dict[int, float] = {}
        self._least = math.inf
        self._late = 0
        self._told = 0
        self._lost = 0

    def hear(self, arrivals: Arrivals) -> None:
        """Learn how late packets were, and how many never came."""
        for step, at in enumerate(arrivals.times):
            sent = self._sent.pop((arrivals.first + step) & 0xFFFF, None)
            if sent is None:
                continue
            self._told += 1
            if at is None:
                self._lost += 1
                continue
            self._least = min(self._least, at - sent)
            self._late = self._late + 1 if at - sent > self._least + PROBE_QUEUE_SECONDS else 0

    def step(self, now: float, videos: list[Forward]) -> bool | None:
        """Send what is due. Returns whether the line carries the goal; None while that is not known."""
        if self._late >= 3 or self._lost > max(5, self._told * LOSS) or now - self._began > PROBE_MOST_SECONDS:
            return False
        wanted = min(self.goal, self._base * PROBE_GROWTH_PER_SECOND ** (now - self._began))
        if wanted >= self.goal and self._reached is None:
            self._reached = now
        if self._reached is not None and now - self._reached >= PROBE_HOLD_SECONDS:
            return self._told > 0
        self._owed += (wanted - self._base) * min(now - self._last, 0.1) / 8
        self._last = now
        for forward in videos:
            while self._owed > 0 and (size := forward.probe(self._line.number)):
                self._owed -= size
                self._sent[self._line.number] = time.monotonic()
                self._line.number = (self._line.number + 1) & 0xFFFF
        return None


def _cost(forward: Forward, rank: int) -> float:
    """Bits per second of the layer this forward would get with `rank` granted."""
    if not rank:
        return 0.0
    layer = forward.track.best_layer(min(rank, forward.most))
    return layer.bitrate if layer is not None else 0.0
