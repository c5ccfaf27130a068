"""What there is on a bench for a protocol to take: plates, liquids, wells for samples; all of it imagined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lab.bench import Bench, Labware
from lab.errors import Infeasible
from protocols.scripts.kinds import Plate, Sample, Samples, Well, Wells
from protocols.stock import Stock, unused_plates

__all__ = ["ImaginedBench"]


class ImaginedBench:
    """The bench as it was when the run was laid out, and as the steps so far would have changed it.

    Args:
        bench: changed by whoever carries steps out.
        plates: that the run may take fresh; None while it is laid out.
        seed: of :attr:`rng`.
    """

    def __init__(self, bench: Bench, plates: Sequence[str] | None, seed: int) -> None:
        self._bench = bench
        self._allowed = None if plates is None else set(plates)
        self._fresh: list[str] = []
        self._labels: dict[Well, str] = {}
        self._owners: dict[Well, str] = {}
        self.rng = np.random.default_rng(seed)
        """For choices at random; the same in every walk of a run."""

    def fresh_plate(self) -> Plate:
        """The next plate that was never used.

        Raises:
            Infeasible: there is none, or it was not foreseen when the run was laid out.
        """
        found = [item for item in unused_plates(self._bench) if item.id not in self._fresh]
        if not found:
            raise Infeasible(
                ("No unused plate is left on the bench.",), way_out="Put more into the workcell file."
            )
        item = found[0]
        if self._allowed is not None and item.id not in self._allowed:
            raise Infeasible(
                (f"The protocol takes {item.id}, which its dry run did not take.",),
                way_out="Take all plates before the first reading: plates = bench.fresh_plates(3)",
            )
        self._fresh.append(item.id)
        return self._plate(item)

    def fresh_plates(self, number: int) -> tuple[Plate, ...]:
        """Several plates that were never used; errors as of :meth:`fresh_plate`."""
        return tuple(self.fresh_plate() for _ in range(number))

    def plate(self, name: str) -> Plate:
        """A plate of the workcell file by its id; ``fresh`` is the next unused one.

        Raises:
            Infeasible: there is none of this name.
        """
        if name == "fresh":
            return self.fresh_plate()
        item = self._bench.labware.get(name)
        if item is None or item.type.kind != "plate":
            plates = [one.id for one in self._bench.of_kind("plate")]
            raise Infeasible(
                (f"There is no plate {name} on this bench.",),
                way_out=f"It has {', '.join(plates[:12])}{' and more' if len(plates) > 12 else ''}.",
            )
        return self._plate(item)

    def holding(self, content: str) -> tuple[Well, ...]:
        """Wells that hold nothing but one liquid, in the order of the workcell file."""
        return tuple(Well(*place) for place in Stock(self._bench).wells_of(content))

    def volume_ul(self, well: Well) -> float:
        """What a well holds by now, as the steps so far would leave it; nothing is measured."""
        return self._bench.well(well.labware, well.well).volume_ul

    def label(self, plate: Plate, wells: str | Iterable[str], name: str) -> None:
        """Say what wells are for (``blank``); the name stands in tables and pictures."""
        for well in self._wells(plate, wells):
            self._labels[Well(plate.id, well)] = name

    def place(
        self, samples: Samples | Sequence[Sample], plate: Plate, replicates: int, *, at_random: bool = True
    ) -> dict[str, Wells]:
        """Give each sample wells of a plate; the results that are read there are that sample's.

        Args:
            at_random: wells drawn at random, as edges of plates differ from their middle; column by column otherwise.

        Raises:
            Infeasible: the plate has too few wells.
        """
        wells = [well for well in plate.wells if Well(plate.id, well) not in self._owners]
        if len(wells) < replicates * len(samples):
            raise Infeasible(
                (
                    f"{len(samples)} samples with {replicates} wells each do not fit {len(wells)} wells of {plate}.",
                )
            )
        if at_random:
            self.rng.shuffle(wells)
        given: dict[str, Wells] = {}
        for number, sample in enumerate(samples):
            mine = Wells(wells[number * replicates : (number + 1) * replicates])
            given[sample.id] = mine
            for well in mine:
                self._owners[Well(plate.id, well)] = sample.id
        return given

    @property
    def fresh(self) -> tuple[str, ...]:
        """Plates that were taken fresh, in order."""
        return tuple(self._fresh)

    @property
    def labels(self) -> Mapping[Well, str]:
        """What wells are for."""
        return self._labels

    @property
    def owners(self) -> Mapping[Well, str]:
        """Wells of samples."""
        return self._owners

    def _plate(self, item: Labware) -> Plate:
        return Plate(item.id, item.type.rows, item.type.columns)

    def _wells(self, plate: Plate, wells: str | Iterable[str]) -> Wells:
        return Wells.read(wells, plate.rows, plate.columns)
