"""One plate of films before and after ageing: what is left of each blend's colour, and whether that can be trusted.

Spectra become one number for each film, its colour, and what follows is what follows of any plate that is read twice
(:mod:`protocols.plate_ratio`, :mod:`protocols.paired_wells`), with the verdicts that only spectra give beside it: haze, a
sum that does not fit, pale controls, a pure material that is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lab.types import JsonValue, Quality, WellUse
from protocols.film_spectra import Film, FilmSpectra, PlateSpectra
from protocols.paired_wells import PairedWells
from protocols.plate_ratio import PlateRatio, Share, Thresholds
from protocols.readings import PlateReading, without_reading
from protocols.well_findings import Finding, verdict
from protocols.well_groups import REFERENCE, or_none

__all__ = ["AGED", "FRESH", "FilmPlate", "Limits"]

FloatArray = npt.NDArray[np.float64]

FRESH, AGED = "fresh", "aged"
"""The two times at which the plate is looked at."""

PALE, HAZY, MISFIT, NO_STANDARD = "pale", "hazy", "misfit", "no_standard"
"""Flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a result is not to be used.

    Args:
        clear_from_nm: from here on no material absorbs.
        max_haze: largest scattering of fresh films at 550 nm, as a share of their colour.
        max_misfit: largest share of a spectrum that its materials do not explain.
        min_colour: least mean absorbance of the reference's fresh films.
        ratio: of what any plate that is read twice is judged by.
    """

    clear_from_nm: float
    max_haze: float
    max_misfit: float
    min_colour: float
    ratio: Thresholds


class FilmPlate:
    """The films of one run, compared with themselves. A value once made: nothing in it changes.

    Args:
        labware: id of the plate.
        uses: what every well is for, the films of pure materials among them.
        holds: candidate id -> materials in it.
        pure: material -> wells that hold nothing else.
        spectra: by :data:`FRESH` and :data:`AGED`; one that is missing was not taken.
        limits: of what counts.
        barred: sample id -> why it must not be used.
    """

    def __init__(
        self,
        *,
        labware: str,
        uses: Sequence[WellUse],
        holds: Mapping[str, Sequence[str]],
        pure: Mapping[str, Sequence[str]],
        spectra: Mapping[str, PlateSpectra],
        limits: Limits,
        barred: Mapping[str, str],
    ) -> None:
        self._limits = limits
        self._holds = holds
        standards = {well for wells in pure.values() for well in wells}
        self._uses = [use for use in uses if use.well not in standards]
        self._content = {use.experiment_id or use.kind: use.content for use in self._uses}
        good = {use.well for use in uses if use.sample_id not in barred}
        blanks = [use.well for use in self._uses if use.kind == "blank" and use.well in good]
        seen = {
            state: FilmSpectra(one, blanks=blanks, clear_from_nm=limits.clear_from_nm)
            for state, one in spectra.items()
        }
        self.standards = _standards(seen.get(FRESH), pure, good)
        self.films = {state: self._taken_apart(one) for state, one in seen.items()}
        readings = {state: self._reading(labware, state, seen, spectra) for state in (FRESH, AGED)}
        self._ratio = PlateRatio(
            untreated=FRESH,
            treated=(AGED,),
            labware={FRESH: FRESH, AGED: AGED},
            uses=self._uses,
            readings=readings,
            thresholds=limits.ratio,
            barred=barred,
        )
        self._paired = PairedWells(self._ratio)

    def remaining(self, key: str) -> Share:
        """What is left of the colour of an experiment's films."""
        return self._paired.share(key)

    def sample_id(self, key: str) -> str:
        """The sample that an experiment's result is told of."""
        return self._ratio.groups[AGED][key].sample_id

    def quality(self, key: str) -> Quality:
        """Whether an experiment's share may be used, and what was seen."""
        first = self._ratio.quality(key)
        then = verdict([*self._of_standards(key), *self._of_reference(), *self._of_films(key)])
        return Quality(
            ok=first.ok and then.ok,
            flags=tuple(dict.fromkeys((*first.flags, *then.flags))),
            sentence=" ".join(filter(None, (first.sentence, then.sentence))),
        )

    def details(self, key: str) -> dict[str, JsonValue]:
        """What an observation keeps: the reference, every film as it was seen, and what is left of each material."""
        reference = self._paired.share(REFERENCE)
        return {
            **self._ratio.details(key),
            "degrees_of_freedom": self._paired.degrees_of_freedom(key),
            "reference_value": or_none(1.0 - reference.value),
            "reference_standard_error": or_none(reference.standard_error),
            "reference_degrees_of_freedom": self._paired.degrees_of_freedom(REFERENCE),
            "haze": or_none(self._mean(key, lambda film: film.haze)),
            "misfit": or_none(self._mean(key, lambda film: film.misfit)),
            "materials": {name: self._of_material(key, name) for name in self._holds[self._content[key]]},
        }

    # ------------------------------------------------------------------------------------------------------------- films

    def _taken_apart(self, spectra: FilmSpectra) -> dict[str, Film]:
        """Well -> film, of those that can be told."""
        found = {}
        for use in self._uses:
            names = list(self.standards) if use.kind == "blank" else self._holds[use.content]
            known = {name: one for name in names if (one := self.standards.get(name)) is not None}
            if use.kind != "blank" and len(known) < len(names):
                continue
            film = spectra.film(use.well, known)
            if film is not None:
                found[use.well] = film
        return found

    def _reading(
        self,
        labware: str,
        state: str,
        seen: Mapping[str, FilmSpectra],
        spectra: Mapping[str, PlateSpectra],
    ) -> PlateReading:
        """The colours of all wells, as a reader would have told them."""
        if state not in seen:
            return without_reading(labware, self._uses)
        films, light = self.films[state], seen[state]
        return PlateReading(
            labware=labware,
            values={
                use.well: films[use.well].colour if use.well in films else math.nan for use in self._uses
            },
            saturated=frozenset(use.well for use in self._uses if light.is_dark(use.well)),
            lab_time_s=spectra[state].lab_time_s,
        )

    def _told(self, key: str, state: str) -> list[Film]:
        """The films of a group that count, as they were at one time."""
        films = self.films.get(state, {})
        wells = [well.well for well in self._ratio.groups[state][key].wells if well.counts]
        return [films[well] for well in wells if well in films]

    def _mean(self, key: str, of: Callable[[Film], float]) -> float:
        """Over the fresh films of a group; NaN where none counts."""
        told = [of(film) for film in self._told(key, FRESH)]
        return float(np.mean(told)) if told else math.nan

    def _of_material(self, key: str, name: str) -> dict[str, JsonValue]:
        """How much of a material a blend's films hold, in units of the pure film, before and after."""
        told: dict[str, JsonValue] = {}
        for state in (FRESH, AGED):
            amounts = [film.amounts[name] for film in self._told(key, state)]
            n = len(amounts)
            told[state] = or_none(float(np.mean(amounts)) if n else math.nan)
            told[f"{state}_standard_error"] = or_none(
                float(np.std(amounts, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
            )
        return told

    # ---------------------------------------------------------------------------------------------------------- verdicts

    def _of_standards(self, key: str) -> list[Finding]:
        if not self.films:
            return []  # Nothing was looked at, which is said already.
        names = [name for name in self._holds[self._content[key]] if self.standards.get(name) is None]
        if not names:
            return []
        sentence = f"No film of pure {' or '.join(names)} can be read, and without it this blend can't be taken apart."
        return [(NO_STANDARD, True, sentence)]

    def _of_reference(self) -> list[Finding]:
        colour, least = self._mean(REFERENCE, lambda film: film.colour), self._limits.min_colour
        if not math.isfinite(colour) or colour >= least:
            return []
        sentence = (
            f"The reference's fresh films have a mean absorbance of {colour:.3f}, and {least:g} is needed: "
            "too little ink, or an anneal that is too hot or too long."
        )
        return [(PALE, True, sentence)]

    def _of_films(self, key: str) -> list[Finding]:
        found: list[Finding] = []
        colour, haze = self._mean(key, lambda film: film.colour), self._mean(key, lambda film: film.haze)
        allowed = self._limits.max_haze
        if math.isfinite(haze) and haze > allowed * abs(colour):
            sentence = (
                f"Its fresh films scatter {haze / abs(colour):.0%} of their colour, and {allowed:.0%} is allowed: "
                "they hold water still; anneal hotter or longer."
            )
            found.append((HAZY, True, sentence))
        misfit, allowed = self._mean(key, lambda film: film.misfit), self._limits.max_misfit
        if math.isfinite(misfit) and misfit > allowed:
            sentence = (
                f"{misfit:.0%} of its fresh spectra is not explained by what it was mixed from; "
                f"{allowed:.0%} is allowed."
            )
            found.append((MISFIT, True, sentence))
        return found


def _standards(
    fresh: FilmSpectra | None, pure: Mapping[str, Sequence[str]], good: set[str]
) -> dict[str, FloatArray | None]:
    """Material -> spectrum of its pure fresh film; None where no film of it can be read."""
    return {
        name: None if fresh is None else fresh.pure([well for well in wells if well in good])
        for name, wells in pure.items()
    }
