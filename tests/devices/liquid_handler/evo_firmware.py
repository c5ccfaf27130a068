"""The firmware of an EVO's liquid handling arm, as far as its commands move it; stands where PyLabRobot's USB port is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

CHANNELS = 8
Z_RANGE = 2100
INITIAL = {"C5"}


@dataclass
class Stroke:
    """Plungers moved: where the channels stood, and by how many full steps (drawing is positive)."""

    x: int
    y: int
    z: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass
class EvoFirmware:
    """Answers frames of two bytes of a module and three of a command.

    Args:
        refuses: command -> code, once.
        instead: what it answers to a frame in place of its answer, if it raises nothing.
    """

    refuses: dict[str, int] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    tips: list[tuple[int, int, int]] = field(default_factory=list)
    dropped: list[tuple[int, int, int]] = field(default_factory=list)
    x: int = 45
    y: int = 1031
    z: list[int] = field(default_factory=lambda: [Z_RANGE] * CHANNELS)
    travel: list[int] = field(default_factory=list)
    mounted: int = 0
    openings: int = 0
    plungers: list[int] = field(default_factory=lambda: [0] * CHANNELS)
    instead: Callable[[str], bytes | None] = lambda frame: None
    _answer: bytes = b""

    async def setup(self) -> None:
        self.openings += 1

    async def stop(self) -> None:
        pass

    async def write(self, data: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (PyLabRobot's)
        assert data.startswith(b"\x02")
        assert data.endswith(b"\x00")
        frame = data[1:-1].decode("ascii")
        self.frames.append(frame)
        module, command = frame[:2], frame[2:5]
        params = [int(one) if one else None for one in frame[5:].split(",")] if frame[5:] else []
        code, said = self._do(module, command, params)
        self._answer = b"\x02" + module.encode() + bytes([0x80 | code]) + said.encode() + b"\x00"

    async def read(self, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (PyLabRobot's)
        other = self.instead(self.frames[-1])
        return self._answer if other is None else other

    def _do(self, module: str, command: str, params: list[int | None]) -> tuple[int, str]:
        if module not in INITIAL:
            return 5, ""
        if command in self.refuses:
            return self.refuses.pop(command), ""
        return getattr(self, f"_{command.lower()}", lambda *_: (0, ""))(*params)

    def _rnt(self, which: int) -> tuple[int, str]:
        return 0, str(CHANNELS)

    def _rpx(self, which: int) -> tuple[int, str]:
        return 0, "12000" if which == 5 else str(self.x)

    def _rpy(self, which: int) -> tuple[int, str]:
        return 0, "4000,90"

    def _rpz(self, which: int) -> tuple[int, str]:
        return 0, ",".join([str(Z_RANGE)] * CHANNELS)

    def _paa(self, x: int, y: int, spacing: int, *z: int) -> tuple[int, str]:
        assert 90 <= spacing <= 380
        assert set(self.travel) == {Z_RANGE}, "it goes up before it travels"
        self.x, self.y, self.z = x, y, [*z]
        return 0, ""

    def _shz(self, *z: int) -> tuple[int, str]:
        self.travel = [*z]
        return 0, ""

    def _maz(self, *z: int | None) -> tuple[int, str]:
        self.z = [old if new is None else new for old, new in zip(self.z, z, strict=True)]
        return 0, ""

    def _ppr(self, *steps: int | None) -> tuple[int, str]:
        moved = tuple(one or 0 for one in steps)
        self.plungers = [at + by for at, by in zip(self.plungers, moved, strict=True)]
        self.strokes.append(Stroke(self.x, self.y, tuple(self.z), moved))
        return 0, ""

    def _agt(self, mask: int, begin: int, search: int, _: int) -> tuple[int, str]:
        if mask & self.mounted:
            return 27, ""
        self.mounted |= mask
        self.tips.append((mask, self.x, self.y))
        return 0, ""

    def _adt(self, mask: int) -> tuple[int, str]:
        if not mask & self.mounted:
            return 26, ""
        self.mounted &= ~mask
        self.dropped.append((mask, self.x, self.y))
        return 0, ""
