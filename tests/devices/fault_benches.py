"""Every driver that has a twin, for cases of what goes wrong on its wire and in its instrument."""

from __future__ import annotations

from tests.devices.fault_cases import DriverBench
from tests.devices.handler_fault_benches import HANDLER_BENCHES
from tests.devices.http_fault_benches import HTTP_BENCHES
from tests.devices.line_fault_benches import LINE_BENCHES
from tests.devices.machine_fault_benches import MACHINE_BENCHES
from tests.devices.network_fault_benches import NETWORK_BENCHES
from tests.devices.pylabrobot_fault_benches import PYLABROBOT_LINE_BENCHES

__all__ = ["BENCHES"]

BENCHES: tuple[DriverBench, ...] = (
    *HANDLER_BENCHES,
    *MACHINE_BENCHES,
    *LINE_BENCHES,
    *PYLABROBOT_LINE_BENCHES,
    *NETWORK_BENCHES,
    *HTTP_BENCHES,
)
