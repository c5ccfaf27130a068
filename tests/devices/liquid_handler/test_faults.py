"""Errors of PyLabRobot and of a STAR's firmware, as faults that a recovery policy knows."""

from __future__ import annotations

import pytest
from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import (
    STARFirmwareError,
    convert_star_firmware_error_to_plr_error,
    star_firmware_string_to_error,
)
from pylabrobot.liquid_handling.errors import ChannelizedError, NoChannelError
from pylabrobot.resources.errors import HasTipError, NoTipError, TooLittleLiquidError

from devices.liquid_handler.faults import channels_of, fault_of
from lab.errors import (
    CloggedTip,
    DeviceFault,
    FailedAspirate,
    InstrumentBusy,
    InstrumentError,
    LidFault,
    LostTip,
    ShortVolume,
)


def said(codes: dict[str, str]) -> Exception:
    """What PyLabRobot raises when the modules of a STAR answer with codes."""
    error = star_firmware_string_to_error({"C0": "99/00", **codes}, raw_response="C0er99/00")
    return convert_star_firmware_error_to_plr_error(error) or error


ERRORS: dict[str, tuple[Exception, type[DeviceFault]]] = {
    "no liquid level": (said({"P1": "06/70"}), FailedAspirate),
    "liquid below the lowest point": (said({"P1": "06/71"}), FailedAspirate),
    "stream broken while drawing": (said({"P2": "17/80"}), FailedAspirate),
    "a clot": (said({"P1": "04/81"}), CloggedTip),
    "pressure below its curve": (said({"P1": "20/82"}), ShortVolume),
    "no tip fetched": (said({"P8": "08/75"}), LostTip),
    "a tip on already": (said({"P1": "07/76"}), LostTip),
    "a drive that lost steps": (said({"P1": "02/62"}), InstrumentError),
    "the hood": (said({"C0": "16/00"}), LidFault),
    "another task": (said({"C0": "03/40"}), InstrumentBusy),
    "one channel without liquid, one without a tip": (said({"P1": "06/70", "P2": "08/75"}), LostTip),
    "one channel busy, one broken": (said({"P1": "03/40", "P2": "02/62"}), InstrumentError),
    "front end: too little liquid": (TooLittleLiquidError("10 of 5"), FailedAspirate),
    "front end: no tip": (NoTipError("Channel 0"), LostTip),
    "front end: tip on already": (HasTipError("Channel 0"), LostTip),
    "front end: no channel": (NoChannelError("none"), InstrumentError),
    "channels of another make": (ChannelizedError({2: TooLittleLiquidError()}), FailedAspirate),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_is_the_fault_that_it_stands_for(what: str) -> None:
    error, kind = ERRORS[what]
    assert type(fault_of(error, InstrumentError)) is kind


def test_an_error_that_says_no_more_is_what_the_part_was_about() -> None:
    unknown = ChannelizedError({0: RuntimeError("it jams")})
    assert type(fault_of(unknown, LostTip)) is LostTip
    assert type(fault_of(said({"P1": "02/62"}), LostTip)) is InstrumentError


def test_each_channel_is_quoted_by_the_number_on_the_machine() -> None:
    fault = fault_of(said({"P1": "04/81", "P3": "06/70"}), InstrumentError)
    assert "channel 1: Clot detected" in str(fault)
    assert "channel 3: No liquid level found" in str(fault)


def test_channels_that_failed_are_known_only_where_the_machine_names_them() -> None:
    assert channels_of(said({"P1": "04/81", "P3": "06/70"})) == frozenset({0, 2})
    assert channels_of(STARFirmwareError({}, "C0er03")) is None
    assert channels_of(OSError("gone")) is None


def test_a_drive_that_is_blocked_leaves_every_channel_in_doubt() -> None:
    assert channels_of(said({"P1": "02/62"})) is None
    assert channels_of(said({"P1": "02/62", "P2": "06/70"})) is None
    assert channels_of(ChannelizedError({0: RuntimeError("it jams")})) is None
