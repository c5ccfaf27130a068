"""Benches: belief from a workcell file, devices on their instruments or twins, and a session that lanes work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from fnmatch import fnmatchcase
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lab.app.drivers import build_device, seats
from lab.app.interlocks import check_interlocks
from lab.app.stopping import in_time, reach_safe_states
from lab.bench import Bench
from lab.clock import LabClock
from lab.engine import BenchSession
from lab.engine.interlocks import InterlockKeeper
from lab.errors import BadInput, DeviceFault
from lab.files import CANDIDATES, CampaignFile, Material, WorkcellSpec
from lab.interfaces import Clock, Command, Workcell
from lab.orders import Order
from lab.recovery import SAFE_BOUND_S
from lab.store import Store
from lab.types import JsonValue, Origin, new_id

if TYPE_CHECKING:
    from devices.identity import Identity
    from digital_twin.chemistry import Chemistry
    from digital_twin.world import World

__all__ = [
    "OpenBench",
    "belief_of",
    "build_devices",
    "lab_time_of",
    "new_bench",
    "reopen_bench",
    "sketch",
    "sketch_over",
]


def belief_of(spec: WorkcellSpec, material: Iterable[Material]) -> Bench:
    """What stands on a bench before its first run, as the workcell and candidate files say.

    Raises:
        CampaignFileError: a kind of labware that there is none of, or more in a well than it holds.
    """
    from devices.labware import labware_type, make_labware

    stock: dict[str, dict[str, str]] = {}
    for one in material:
        stock.setdefault(one.labware, {})[one.well] = one.content
    pieces = []
    for item in spec.labware:
        try:
            kind = labware_type(item.type)
            if item.holds == CANDIDATES:
                filled = stock.get(item.id, {})
            else:
                filled = dict.fromkeys(kind.wells, item.holds) if item.holds else {}
            contents = {well: (content, item.volume_ul) for well, content in filled.items()}
            piece = make_labware(item.id, kind, item.position, contents=contents)
            # A library plate without variants is no assay plate.
            piece.clean = piece.clean and item.holds != CANDIDATES
            pieces.append(piece)
        except BadInput as wrong:
            raise spec.error_of_labware(item.id, wrong.reason, wrong.way_out) from wrong
    return Bench(spec.positions, pieces)


def build_devices(spec: WorkcellSpec, bench: Bench, world: World | None) -> Mapping[str, Any]:
    """Every device of a workcell, not connected yet: role -> device.

    Args:
        world: behind the devices that are twins; None where none is.

    Raises:
        CampaignFileError: a driver that there is none of, or a device without an address.
    """
    return {role: build_device(spec, device, bench, world) for role, device in spec.devices.items()}


def sketch(spec: WorkcellSpec, material: Iterable[Material]) -> Workcell:
    """A workcell to try plans out on: nothing of it is ever connected or kept."""
    return sketch_over(spec, belief_of(spec, material))


def sketch_over(spec: WorkcellSpec, bench: Bench, clock: Clock | None = None) -> Workcell:
    """The same over a bench that is known already.

    Args:
        clock: of a trial in which time passes; without it nothing ever happens.
    """
    world = None
    if spec.twins:
        world = _world(spec, bench, clock=clock or _StandingClock(), seed=0, ledger=None)
    devices = build_devices(spec, bench, world)
    check_interlocks(spec, devices)
    return Workcell(name=spec.name, devices=devices, bench=bench, twins=spec.twins)


class OpenBench:
    """A bench in use: whatever is connected within the block is left in its safe state at its end.

    Args:
        session: that lanes work on.
        world: of the twin; None for hardware.
        used: it was used before, and may have been left in any state.

    Attributes:
        connected: role -> device, as far as they are by now.
        identities: role -> what it said that it is, when it was connected.
    """

    def __init__(self, session: BenchSession, world: World | None, *, used: bool) -> None:
        self.session = session
        self._world = world
        self._used = used
        self.connected: dict[str, Any] = {}
        self.identities: dict[str, dict[str, JsonValue]] = {}

    async def show(self) -> list[dict[str, JsonValue]]:
        """Every device: what it is, who has it, what it does, and what interlocks keep from it. On the loop.

        A device that somebody works with is not asked anything for it.
        """
        session = self.session
        holders = session.arbiter.holders
        rules = await session.interlocks.standing(leave_alone=holders)
        return [
            {
                "role": role,
                "connected": role in self.connected,
                "twin": role in session.workcell.twins,
                "identity": self.identities.get(role),
                "held_by": holders.get(role, ""),
                "blocked": session.arbiter.blocked.get(role, ""),
                "interlocks": [
                    {
                        "verbs": [
                            pattern for pattern in one.verbs if fnmatchcase(role, pattern.partition(".")[0])
                        ],
                        "need": one.need,
                        "because": one.because,
                        "unmet": one.unmet,
                    }
                    for one in rules
                    if any(fnmatchcase(role, pattern.partition(".")[0]) for pattern in one.verbs)
                ],
            }
            for role in session.workcell.devices
        ]

    async def connect(self) -> None:
        """Connect every device, one after the other, and see who answers; on a bench that was used before, make it safe.

        Raises:
            DeviceFault: one does not answer, or does not reach its safe state.
            BadInput: a twin answers for an instrument, or the other way round.
        """
        for role, device in self.session.workcell.devices.items():
            await device.connect()
            self.connected[role] = device
            identity = await device.identify()
            self.identities[role] = {
                "model": identity.model,
                "serial": identity.serial,
                "origin": str(identity.origin),
            }
            self._check_origin(role, identity)
        if self._used:
            await self.session.come_back()

    def deliver(self, order: Order, labware: str, well: str) -> tuple[str, str]:
        """Put what was ordered into a well of the twin's world; says where it is. Loop thread only."""
        assert self._world is not None  # on a real bench people do it
        where = self._world.act(
            "supplier",
            "deliver",
            order=order.id,
            labware=labware,
            well=well,
            content=order.candidate_id,
            volume_ul=order.volume_ul,
        )
        return str(where[0]), str(where[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as closing:
            if self._world is not None:
                closing.callback(self._world.close)
            closing.callback(self._disconnect)
            unsafe = [one for one in reach_safe_states(self.session.clock, self.connected) if not one.safe]
            if unsafe:
                whys = "; ".join(f"{one.device}: {one.error}" for one in unsafe)
                raise DeviceFault(f"Not known to be in the safe state, look at the bench: {whys}")

    def _check_origin(self, role: str, identity: Identity) -> None:
        """A twin that stands in for an instrument, or the other way round, is never used unnoticed."""
        workcell = self.session.workcell
        twin = role in workcell.twins
        if (identity.origin is Origin.TWIN) != twin:
            raise BadInput(
                f"{role} of {workcell.name} answers as {identity.origin} ({identity.model}, serial {identity.serial}), "
                f"but the workcell file says twin: {str(twin).lower()}.",
                way_out="Correct the address of the device, or `twin` in the workcell file.",
                field=f"devices.{role}",
            )

    def _disconnect(self) -> None:
        connected, self.connected = self.connected, {}
        with ExitStack() as closing:
            for device in connected.values():
                closing.callback(self._let_go_of, device)

    def _let_go_of(self, device: Any) -> None:
        late = in_time(self.session.clock, device.disconnect(), SAFE_BOUND_S)
        if late:
            raise DeviceFault(f"disconnecting: {late}", device=device.name)


def new_bench(file: CampaignFile, clock: LabClock, store: Store, twin_folder: Path) -> OpenBench:
    """A bench as the files describe it, kept in the store from here on.

    Args:
        twin_folder: where a twin's ledger is made.

    Raises:
        BadInput: it can't be made there.
    """
    spec, bench_id = file.workcell, new_id("bch")
    bench = belief_of(spec, file.material)
    ledger = twin_folder / f"{bench_id}.jsonl"
    if spec.twins:
        _make_folder(twin_folder)
    world = _world(spec, bench, clock=clock, seed=file.seed, ledger=ledger) if spec.twins else None
    store.create_bench(
        bench_id=bench_id,
        workcell=spec.name,
        twin=spec.twin,
        seed=file.seed,
        ledger=str(ledger.resolve()) if spec.twins else "",
        snapshot=bench.to_json(),
    )
    return _open(bench_id, spec, bench, world, clock, store, used=False)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"The folder for the twins' ledgers can't be made: {error.strerror}.",
            way_out="Make its parent writable, or keep the store elsewhere (`--store`).",
            file=folder,
        ) from error


def reopen_bench(spec: WorkcellSpec, clock: LabClock, store: Store, bench_id: str) -> OpenBench:
    """A bench as the store and, on a twin, its ledger left it.

    Raises:
        BadInput: the twin's ledger is gone or damaged.
    """
    from digital_twin.world import World

    record = store.bench(bench_id)
    bench = Bench.from_json(record.first_snapshot)
    world = None
    if record.ledger:
        world = World.rebuild(Path(record.ledger), clock=clock, chemistry=_chemistry(spec))
    return _open(bench_id, spec, bench, world, clock, store, used=True)


def lab_time_of(store: Store, bench_id: str) -> float:
    """Lab time at which a bench was left, in seconds: of the last that its journal or its twin's ledger holds.

    Not of the wall clock, which may have been set back since.
    """
    from digital_twin.world import World

    record = store.bench(bench_id)
    on_ledger_s = World.lab_time_of(Path(record.ledger)) if record.ledger else 0.0
    return max(on_ledger_s, store.last_lab_time(bench_id))


def _open(
    bench_id: str,
    spec: WorkcellSpec,
    bench: Bench,
    world: World | None,
    clock: LabClock,
    store: Store,
    *,
    used: bool,
) -> OpenBench:
    devices = build_devices(spec, bench, world)
    check_interlocks(spec, devices)
    workcell = Workcell(name=spec.name, devices=devices, bench=bench, twins=spec.twins)
    session = BenchSession(
        bench_id=bench_id,
        workcell=workcell,
        clock=clock,
        store=store,
        commands=commands_of_devices(workcell),
        interlocks=InterlockKeeper(spec.interlocks, spec.states, workcell.devices, clock),
    )
    return OpenBench(session, world, used=used)


def commands_of_devices(workcell: Workcell) -> dict[tuple[str, str], type[Command]]:
    """Role of a device and name of its verb -> command type, to read the journal back."""
    from devices.verb import Verb

    return {
        (role, child.command_type.verb): child.command_type
        for role, device in workcell.devices.items()
        for _, child in device.children()
        if isinstance(child, Verb)
    }


class _StandingClock:
    """The time of a bench on which nothing ever happens."""

    def now(self) -> float:
        return 0.0

    def hold(self, what: str) -> AbstractContextManager[None]:
        return nullcontext()

    def when_quiet(self, callback: Callable[[], None]) -> None:
        callback()


def _world(spec: WorkcellSpec, bench: Bench, *, clock: Clock, seed: int, ledger: Path | None) -> World:
    from digital_twin.world import World

    known = _chemistry(spec)
    try:
        return World(clock=clock, seed=seed, ledger=ledger, bench=bench, chemistry=known, seats=seats(spec))
    except BadInput as wrong:
        raise _of_labware(spec, known, wrong) from wrong


def _of_labware(spec: WorkcellSpec, chemistry: Chemistry, wrong: BadInput) -> BadInput:
    """What a twin has against a bench, at the line of the labware whose contents it does not know; else as it is."""
    for item in spec.labware:
        if item.holds and item.holds != CANDIDATES:
            try:
                chemistry.stock(item.holds, np.random.default_rng(0))
            except BadInput as unknown:
                reason = f"{unknown.reason[:1].upper()}{unknown.reason[1:]}"
                return spec.error_of_labware(item.id, reason, unknown.way_out)
    return wrong


def _chemistry(spec: WorkcellSpec) -> Chemistry:
    from digital_twin.chemistry import chemistry

    try:
        return chemistry(spec.chemistry)
    except BadInput as wrong:
        raise spec.error("chemistry", wrong.reason, wrong.way_out) from wrong
