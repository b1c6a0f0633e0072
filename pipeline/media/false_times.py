"""Times of packets that cannot be, as damage leaves them: such a one is taken for missing."""

from __future__ import annotations

from typing import Any

from av.container import InputContainer
from av.packet import Packet

_FURTHEST_S = 366 * 86_400.0
"""No picture is shown a year after the first."""


class TimeSieve:
    """Takes the times away from packets of one file that lie further from its start than any video is long."""

    def __init__(self, container: InputContainer) -> None:
        self._start_s = (container.start_time or 0) / 1e6

    def sift(self, packet: Packet[Any]) -> bool:
        """Take the times of a packet away if one of them cannot be; return whether that was so."""
        if not packet.time_base:
            return False
        furthest = _FURTHEST_S / float(packet.time_base)
        start = self._start_s / float(packet.time_base)
        if all(tick is None or abs(tick - start) <= furthest for tick in (packet.pts, packet.dts)):
            return False
        packet.pts = packet.dts = None
        return True
