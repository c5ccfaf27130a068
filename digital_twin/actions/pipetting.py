"""Tips, drawing and giving liquid: what an air-displacement channel truly does.

A channel draws what is there: where a well is short the rest is air, and nobody is told. Air was drawn last, sits lowest in
the tip and leaves first, so the wells served first get less than they should. Nothing goes in or out of a clogged tip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from digital_twin.mixing import mixed_by_pipetting
from digital_twin.physics.pipetting import carry_over_volume_ul, delivered_volume_ul
from digital_twin.state import Channel, Impossible, State
from digital_twin.wells import Liquid, Wells
from lab.types import JsonValue

__all__ = ["aspirate", "dispense", "drop_tips", "pick_up_tips"]

TIP_HEADROOM = 1.2
"""A tip takes this many times its nominal volume before liquid reaches the filter (60 uL for Hamilton's 50 uL tip)."""

UNREACHABLE_SHARE = 0.5
"""Of the stated dead volume, which makers state with a margin: what truly stays below the tip. A choice."""


def pick_up_tips(
    state: State, now_s: float, instrument: str, *, channels: Sequence[int], tips: Sequence[Sequence[str]]
) -> Callable[[np.random.Generator], JsonValue]:
    """Put fresh tips on channels; ``tips`` are (rack, spot), one for each channel."""
    head = state.head(instrument)
    for channel, (rack, spot) in zip(channels, tips, strict=True):
        _on_deck(state, instrument, rack)
        if head[channel].tip_volume_ul:
            raise Impossible(f"channel {channel + 1} already has a tip")
        if spot not in state.pieces[rack].tips:
            raise Impossible(f"there is no tip at {spot} of {rack}")

    def effect(rng: np.random.Generator) -> JsonValue:
        for channel, (rack, spot) in zip(channels, tips, strict=True):
            state.pieces[rack].tips.remove(spot)
            head[channel].tip_volume_ul = state.pieces[rack].kind.tip_volume_ul
        return None

    return effect


def drop_tips(
    state: State, now_s: float, instrument: str, *, channels: Sequence[int]
) -> Callable[[np.random.Generator], JsonValue]:
    """Throw tips into the waste, with whatever is in them."""
    head = state.head(instrument)
    for channel in channels:
        if not head[channel].tip_volume_ul:
            raise Impossible(f"channel {channel + 1} has no tip to drop")

    def effect(rng: np.random.Generator) -> JsonValue:
        for channel in channels:
            head[channel] = Channel(calibration=head[channel].calibration)
        return None

    return effect


def aspirate(
    state: State,
    now_s: float,
    instrument: str,
    *,
    channels: Sequence[int],
    labware: str,
    wells: Sequence[str],
    volumes_ul: Sequence[float],
    mix_ul: float = 0.0,
    mix_cycles: int = 0,
    liquid_shares: Sequence[float] | None = None,
) -> Callable[[np.random.Generator], JsonValue]:
    """Draw liquid from wells of one piece of labware, one well for each channel; mix before, if asked to.

    Args:
        liquid_shares: of each channel's stroke, that draws liquid; the rest draws air. None: all of it.
    """
    head = state.head(instrument)
    contents, indices = _wells(state, instrument, labware, wells)
    for channel, volume_ul in zip(channels, volumes_ul, strict=True):
        drawn = head[channel]
        if not drawn.tip_volume_ul:
            raise Impossible(f"channel {channel + 1} has no tip")
        if drawn.liquid.volume_ul + drawn.air_ul + volume_ul > TIP_HEADROOM * drawn.tip_volume_ul:
            raise Impossible(
                f"{volume_ul:g} uL more do not fit the {drawn.tip_volume_ul:g} uL tip of channel {channel + 1}"
            )

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(state.pieces[labware], now_s)
        out_of_reach = UNREACHABLE_SHARE * contents.kind.dead_volume_ul
        shares = [1.0] * len(channels) if liquid_shares is None else liquid_shares
        for channel, index, volume_ul, share in zip(channels, indices, volumes_ul, shares, strict=True):
            stroke_ul = _stroke(head[channel], volume_ul, rng)
            if head[channel].clogged:
                continue
            _stir(contents, index, mix_ul, mix_cycles)
            reachable_ul = max(0.0, float(contents.volume_ul[index]) - out_of_reach)
            taken = contents.draw(index, min(share * stroke_ul, reachable_ul))
            head[channel].liquid.add(taken)
            head[channel].air_ul += stroke_ul - taken.volume_ul
        return None

    return effect


def dispense(
    state: State,
    now_s: float,
    instrument: str,
    *,
    channels: Sequence[int],
    labware: str,
    wells: Sequence[str],
    volumes_ul: Sequence[float],
    contact: bool,
    mix_ul: float = 0.0,
    mix_cycles: int = 0,
) -> Callable[[np.random.Generator], JsonValue]:
    """Give liquid to wells of one piece of labware, one well for each channel; mix afterwards, if asked to.

    With ``contact`` the tip dips into the well's liquid and carries a film of it on to wherever it goes next; from above
    it stays clean.
    """
    head = state.head(instrument)
    contents, indices = _wells(state, instrument, labware, wells)
    for channel, well, index, volume_ul in zip(channels, wells, indices, volumes_ul, strict=True):
        if not head[channel].tip_volume_ul:
            raise Impossible(f"channel {channel + 1} has no tip")
        if contents.volume_ul[index] + volume_ul > contents.shape.brim_ul:
            raise Impossible(f"{well} of {labware} would run over with {volume_ul:g} uL more")

    def effect(rng: np.random.Generator) -> JsonValue:
        state.evolve(state.pieces[labware], now_s)
        for channel, index, volume_ul in zip(channels, indices, volumes_ul, strict=True):
            stroke_ul = _stroke(head[channel], volume_ul, rng)
            if head[channel].clogged:
                continue
            given = _give(head[channel], stroke_ul)
            contents.pour(index, given)
            _stir(contents, index, mix_ul, mix_cycles)
            if contact:
                film_ul = carry_over_volume_ul(dispensed_volume_ul=given.volume_ul)
                head[channel].liquid.add(contents.draw(index, film_ul))
        return None

    return effect


def _stroke(channel: Channel, volume_ul: float, rng: np.random.Generator) -> float:
    """What the piston really displaces."""
    nominal = int(channel.tip_volume_ul)
    if volume_ul <= 0.0:
        return 0.0
    return delivered_volume_ul(
        volume_ul=min(volume_ul, nominal),
        tip_volume_ul=nominal,
        channel_calibration=channel.calibration,
        rng=rng,
    ) * max(1.0, volume_ul / nominal)


def _give(channel: Channel, stroke_ul: float) -> Liquid:
    """What leaves the tip: the air below the liquid first."""
    air_ul = min(channel.air_ul, stroke_ul)
    channel.air_ul -= air_ul
    return channel.liquid.take(stroke_ul - air_ul)


def _stir(contents: Wells, index: int, stroke_ul: float, cycles: int) -> None:
    if cycles:
        contents.unmixed[index] = mixed_by_pipetting(
            unmixed=float(contents.unmixed[index]),
            volume_ul=float(contents.volume_ul[index]),
            stroke_ul=stroke_ul,
            cycles=cycles,
        )


def _on_deck(state: State, instrument: str, labware: str) -> None:
    # A robot with two mounts is two instruments, robot/left and robot/right, over one deck.
    robot = instrument.partition("/")[0]
    piece = state.pieces.get(labware)
    if piece is None or piece.position is None or state.positions[piece.position].device != robot:
        raise Impossible(f"{labware} does not stand on the deck of {instrument}")


def _wells(state: State, instrument: str, labware: str, wells: Sequence[str]) -> tuple[Wells, list[int]]:
    _on_deck(state, instrument, labware)
    piece = state.pieces[labware]
    if piece.wells is None:
        raise Impossible(f"{labware} has no wells")
    if piece.lid is not None:
        raise Impossible(f"the lid {piece.lid} on {labware} is in the way of the tips")
    try:
        return piece.wells, [piece.wells.index(well) for well in wells]
    except KeyError as error:
        raise Impossible(f"{labware} has no well {error.args[0]}") from error
