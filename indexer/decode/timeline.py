"""Times of packets as players count them: from 0, also if time stamps restart, leap, or are wrong once.

Joined files (`cat a.ts b.ts`), HLS with discontinuities and broken recorders write such time stamps. The limits are
those of FFmpeg's own tools (`-dts_delta_threshold`).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

import av
from av.container import InputContainer
from av.stream import Stream

Packet: TypeAlias = "av.Packet[Any]"

_MAX_BACK_S: Final = 0.5
"""Maximum step back between packets of one stream. A larger one is a restart, or one wrong time stamp."""
_MAX_GAP_S: Final = 10.0
"""Maximum step forward between packets of a format whose time stamps may leap."""
_MIN_STRAY_S: Final = 1.0
"""Minimum step forward that may be a wrong time stamp."""
_MAX_REORDER_S: Final = 2.0
_MAX_REORDER_FRAMES: Final = 17
"""Maximum distance of a frame's time from its decoding time: 16 frames may be reordered."""
_NEAR_PACKETS: Final = 5
"""Packets among which a wrong time stamp is recognized by those around it."""
_LOOKAHEAD_PACKETS: Final = _MAX_REORDER_FRAMES
_LOOKAHEAD_BYTES: Final = 32 * 1024**2
_TS_DISCONT: Final = 0x0200
"""FFmpeg's flag of formats whose time stamps may leap (AVFMT_TS_DISCONT), such as MPEG-TS."""
_DEFAULT_STEP_S: Final = 0.04
_MAX_TICKS: Final = 2**62


@dataclass
class _StreamClock:
    """Times of one stream, in seconds. `offset_s` is what the last restart or leap added to its time stamps."""

    unit_s: float
    step_s: float
    offset_s: float = 0.0
    last_s: float | None = None
    end_s: float = 0.0
    last_shown_s: float = 0.0
    """Start of the last packet so far, in the order in which they are shown."""
    lead_s: float = 0.0
    """Distance of a frame's time from its decoding time."""
    pending: deque[Packet] = field(default_factory=deque)
    pending_bytes: int = 0

    def read_time(self, packet: Packet) -> float | None:
        """Return the decoding time of a packet as it is written, else the time of its frame."""
        ticks = packet.pts if packet.dts is None else packet.dts
        return None if ticks is None or abs(ticks) > _MAX_TICKS else ticks * self.unit_s

    def read_duration(self, packet: Packet) -> float:
        return packet.duration * self.unit_s if packet.duration and 0 < packet.duration < _MAX_TICKS else 0.0

    def read_lead(self, packet: Packet) -> float:
        return 0.0 if packet.pts is None or packet.dts is None else (packet.pts - packet.dts) * self.unit_s

    @property
    def max_reorder_s(self) -> float:
        return max(_MAX_REORDER_S, _MAX_REORDER_FRAMES * self.step_s)

    def may_be_shown_late(self, packet: Packet) -> bool:
        """Return whether a packet may be decoded this long before it is shown: no more frames than possible come first.

        Frames that are shown for long (slides, recordings of a screen) are reordered, too.
        """
        shown_at = packet.pts or 0
        earlier = [each for each in self.pending if each.pts is not None and each.pts < shown_at]
        return len(earlier) < _MAX_REORDER_FRAMES

    def pop(self) -> Packet:
        packet = self.pending.popleft()
        self.pending_bytes -= packet.size
        return packet


class Timeline:
    """Corrector of the time stamps of some streams of a container. Other streams, such as subtitles, follow the first.

    `zero_s` is the time stamp at which players start. `end_s` is the end of the last packet so far, counted from there.
    """

    def __init__(self, container: InputContainer, streams: Sequence[Stream]) -> None:
        self._has_exact_durations = "mov" in container.format.name
        self._may_leap = bool(container.format.flags & _TS_DISCONT)
        self._starts_s = {stream.index: start for stream in streams if (start := _read_start(stream)) is not None}
        self.zero_s = min(self._starts_s.values(), default=0.0)
        self._clocks = {stream.index: _StreamClock(_read_unit(stream), _read_step(stream)) for stream in streams}
        self._main = next(iter(self._clocks.values()))

    @property
    def end_s(self) -> float:
        return max(clock.end_s for clock in self._clocks.values()) - self.zero_s

    @property
    def last_shown_s(self) -> float:
        """Start of the last packet so far, counted from `zero_s`."""
        return max(clock.last_shown_s for clock in self._clocks.values()) - self.zero_s

    def straighten(self, packets: Iterator[Packet]) -> Iterator[Packet]:
        """Yield the packets of each stream in order, with corrected time stamps."""
        for packet in packets:
            clock = self._clocks.get(packet.stream_index)
            if clock is None:
                if packet.pts is not None:
                    yield _write_times(packet, self._main.offset_s - self.zero_s)
                continue
            clock.pending.append(packet)
            clock.pending_bytes += packet.size
            while clock.pending and (
                packet.size == 0 or len(clock.pending) > _LOOKAHEAD_PACKETS or clock.pending_bytes > _LOOKAHEAD_BYTES
            ):
                yield self._correct(clock, clock.pop())
        for clock in self._clocks.values():
            while clock.pending:
                yield self._correct(clock, clock.pop())

    def _correct(self, clock: _StreamClock, packet: Packet) -> Packet:
        time_s = clock.read_time(packet)
        if time_s is None:
            return packet
        if clock.last_s is None and packet.dts is None and any(each.dts is not None for each in clock.pending):
            return self._pass_leading(clock, packet, time_s)
        if clock.last_s is None:
            at_s = self._start(clock, packet, time_s)
            clock.step_s = clock.read_duration(packet) or clock.step_s
        else:
            at_s = self._place(clock, packet, time_s)
            clock.step_s = clock.read_duration(packet) or min(max(at_s - clock.last_s, 0.0), _MAX_GAP_S) or clock.step_s
            clock.lead_s = _limit_lead(clock, packet)
        clock.last_s = at_s
        clock.last_shown_s = max(clock.last_shown_s, at_s + clock.lead_s)
        clock.end_s = max(clock.end_s, at_s + clock.lead_s + (clock.read_duration(packet) or clock.step_s))
        lead_ticks = round(clock.lead_s / clock.unit_s)
        _write_times(packet, at_s - time_s - self.zero_s)
        if packet.pts is not None and packet.dts is not None and packet.pts - packet.dts != lead_ticks:
            packet.pts = packet.dts + lead_ticks
        # FFmpeg hides the fragments of an mp4 whose time stamps restart.
        return _copy(packet) if packet.is_discard and clock.offset_s else packet

    def _pass_leading(self, clock: _StreamClock, packet: Packet, time_s: float) -> Packet:
        """Pass on one of the first packets of Matroska with reordered frames, which have no decoding time."""
        clock.last_shown_s = max(clock.last_shown_s, time_s)
        clock.end_s = max(clock.end_s, time_s + (clock.read_duration(packet) or clock.step_s))
        return _write_times(packet, -self.zero_s)

    def _start(self, clock: _StreamClock, packet: Packet, time_s: float) -> float:
        """Return the time of the first packet of a stream. If it does not fit the next ones, they decide."""
        first_s = self._find_start(clock, time_s)
        leads_s = [clock.read_lead(each) for each in (packet, *clock.pending)]
        clock.lead_s = leads_s[0]
        is_usual = len(leads_s) == 1 or abs(leads_s[0] - leads_s[1]) <= clock.max_reorder_s
        if not is_usual and not clock.may_be_shown_late(packet):
            clock.lead_s = leads_s[1]
        if first_s != time_s or clock.lead_s != leads_s[0]:
            self._starts_s[packet.stream_index] = first_s + clock.lead_s
            self.zero_s = min(self._starts_s.values())
        return first_s

    def _find_start(self, clock: _StreamClock, time_s: float) -> float:
        upcoming = self._read_upcoming(clock)
        if len(upcoming) < 2:
            return time_s
        step_s = upcoming[1] - upcoming[0]
        is_ahead = upcoming[0] < time_s - _MAX_BACK_S
        is_behind = self._may_leap and upcoming[0] > time_s + _MAX_GAP_S
        return upcoming[0] - step_s if (is_ahead or is_behind) and 0 <= step_s <= _MAX_GAP_S else time_s

    def _place(self, clock: _StreamClock, packet: Packet, time_s: float) -> float:
        """Return the time of the next packet of a stream, and change the stream's offset at a restart or leap."""
        last_s, at_s = clock.last_s or 0.0, time_s + clock.offset_s
        max_back_s = _MAX_BACK_S if packet.dts is not None else _MAX_GAP_S
        if -max_back_s <= at_s - last_s <= _MIN_STRAY_S:
            return at_s
        if self._is_stray(clock, last_s):
            return last_s + clock.step_s
        if at_s > last_s and not self._is_leap(clock, at_s):
            return at_s
        start_s = time_s if packet.pts is None else packet.pts * clock.unit_s
        clock.offset_s = self._find_offset(clock, start_s)
        return time_s + clock.offset_s

    def _read_upcoming(self, clock: _StreamClock) -> list[float]:
        times = (clock.read_time(packet) for packet in islice(clock.pending, _NEAR_PACKETS))
        return [time_s + clock.offset_s for time_s in times if time_s is not None]

    def _is_stray(self, clock: _StreamClock, last_s: float) -> bool:
        """Return whether one of the next packets continues where the last one ended."""
        tolerance_s = max(_MAX_BACK_S, 1.5 * clock.step_s)
        upcoming = enumerate(self._read_upcoming(clock), start=2)
        return any(abs(time_s - (last_s + count * clock.step_s)) <= tolerance_s for count, time_s in upcoming)

    def _is_leap(self, clock: _StreamClock, at_s: float) -> bool:
        """Return whether a step forward is a leap of the time stamps.

        If another stream goes on meanwhile, it is a frame that is shown for long.
        """
        last_s = clock.last_s or 0.0
        others = (other.last_s for other in self._clocks.values() if other is not clock and other.last_s is not None)
        if at_s - last_s <= _MAX_GAP_S or any(other_s >= at_s - _MAX_GAP_S for other_s in others):
            return False
        return self._may_leap or (self._has_exact_durations and at_s > last_s + clock.step_s + _MAX_GAP_S)

    def _find_offset(self, clock: _StreamClock, start_s: float) -> float:
        """Return the offset of another stream that restarted before, else one that continues at the end so far."""
        end_s = max(each.end_s for each in self._clocks.values())
        for other in self._clocks.values():
            if other.offset_s != clock.offset_s and abs(start_s + other.offset_s - (clock.last_s or 0.0)) <= _MAX_GAP_S:
                return other.offset_s
        return end_s - start_s


def _read_start(stream: Stream) -> float | None:
    """Return the start of a stream in seconds. Sound before 0 is the encoder's priming, which players do not play."""
    if stream.start_time is None or stream.time_base is None:
        return None
    start_s = float(stream.start_time * stream.time_base)
    return max(0.0, start_s) if stream.type == "audio" else start_s


def _read_unit(stream: Stream) -> float:
    return float(stream.time_base or 0) or 1 / av.time_base


def _read_step(stream: Stream) -> float:
    rate = float(getattr(stream, "guessed_rate", None) or 0)
    return 1 / rate if rate > 1 / _MAX_GAP_S else _DEFAULT_STEP_S


def _limit_lead(clock: _StreamClock, packet: Packet) -> float:
    """Return how much later than its decoding a packet is shown. If that is impossible, it is as for the last one."""
    lead_s = clock.read_lead(packet)
    is_usual = abs(lead_s - clock.lead_s) <= clock.max_reorder_s
    return lead_s if is_usual or (lead_s >= 0 and clock.may_be_shown_late(packet)) else clock.lead_s


def _copy(packet: Packet) -> Packet:
    """Return a packet with the same content and times, without its flags."""
    copied = av.Packet(bytes(packet))
    copied.stream, copied.time_base = packet.stream, packet.time_base
    copied.pts, copied.dts, copied.duration = packet.pts, packet.dts, packet.duration
    return copied


def _write_times(packet: Packet, shift_s: float) -> Packet:
    ticks = round(shift_s / float(packet.time_base or 1 / av.time_base))
    for name in ("pts", "dts"):
        time = getattr(packet, name)
        if time is not None:
            setattr(packet, name, time + ticks if abs(time + ticks) < _MAX_TICKS else None)
    return packet
