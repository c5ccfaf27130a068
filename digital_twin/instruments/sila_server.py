"""The twin of a chamber as a SiLA 2 server on loopback, over the package sila2: what a driver's client meets on a socket.

The package works in threads; the twin and its world belong to a loop, so each call is carried out there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from typing import TYPE_CHECKING, Any, TypeVar

from devices.sila import load_sila2
from digital_twin.instruments.sila_chamber import NAME, SilaChamberTwin

if TYPE_CHECKING:
    from sila2.server import SilaServer

__all__ = ["serve_sila"]

T = TypeVar("T")

SHOW_EVERY_S = 0.1
"""Wall time between two values of the temperature for those who follow it."""

FEATURE = """<?xml version="1.0" encoding="utf-8" ?>
<Feature Locale="en" SiLA2Version="1.0" FeatureVersion="1.0" MaturityLevel="Verified" Originator="org.silastandard"
    Category="examples" xmlns="http://www.sila-standard.org"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:schemaLocation="http://www.sila-standard.org https://gitlab.com/SiLA2/sila_base/raw/master/schema/FeatureDefinition.xsd">
  <Identifier>TemperatureController</Identifier>
  <DisplayName>Temperature Controller</DisplayName>
  <Description>Controls a temperature and shows it.</Description>
  <Command>
    <Identifier>ControlTemperature</Identifier>
    <DisplayName>Control Temperature</DisplayName>
    <Description>Brings the temperature to a target and keeps it there.</Description>
    <Observable>Yes</Observable>
    <Parameter>
      <Identifier>TargetTemperature</Identifier>
      <DisplayName>Target Temperature</DisplayName>
      <Description>Where to go.</Description>
      <DataType>
        <Constrained>
          <DataType><Basic>Real</Basic></DataType>
          <Constraints>
            <MaximalInclusive>363</MaximalInclusive>
            <MinimalExclusive>277</MinimalExclusive>
            <Unit>
              <Label>K</Label><Factor>1</Factor><Offset>0</Offset>
              <UnitComponent><SIUnit>Kelvin</SIUnit><Exponent>1</Exponent></UnitComponent>
            </Unit>
          </Constraints>
        </Constrained>
      </DataType>
    </Parameter>
    <DefinedExecutionErrors>
      <Identifier>TemperatureNotReachable</Identifier>
      <Identifier>ControlInterrupted</Identifier>
    </DefinedExecutionErrors>
  </Command>
  <Property>
    <Identifier>CurrentTemperature</Identifier>
    <DisplayName>Current Temperature</DisplayName>
    <Description>The temperature now.</Description>
    <Observable>Yes</Observable>
    <DataType>
      <Constrained>
        <DataType><Basic>Real</Basic></DataType>
        <Constraints>
          <Unit>
            <Label>K</Label><Factor>1</Factor><Offset>0</Offset>
            <UnitComponent><SIUnit>Kelvin</SIUnit><Exponent>1</Exponent></UnitComponent>
          </Unit>
        </Constraints>
      </Constrained>
    </DataType>
  </Property>
  <DefinedExecutionError>
    <Identifier>TemperatureNotReachable</Identifier>
    <DisplayName>Temperature Not Reachable</DisplayName>
    <Description>The surroundings keep the device from its target.</Description>
  </DefinedExecutionError>
  <DefinedExecutionError>
    <Identifier>ControlInterrupted</Identifier>
    <DisplayName>Control Interrupted</DisplayName>
    <Description>Another command came before this one had reached its target.</Description>
  </DefinedExecutionError>
</Feature>
"""
"""The standard's feature in words of our own; identifiers, types and limits are its."""


@contextmanager
def serve_sila(twin: SilaChamberTwin, *, loop: asyncio.AbstractEventLoop, port: int) -> Iterator[SilaServer]:
    """Serve a twin, unencrypted, for as long as the block lasts; gives the package's server. Not on the loop's thread.

    Args:
        loop: of the twin's world.
        port: of 127.0.0.1.
    """
    load_sila2()
    from sila2.framework import Feature
    from sila2.server import SilaServer

    feature = Feature(FEATURE)
    server = SilaServer(
        server_name=NAME,
        server_type="SimulatedChamber",
        server_description="Simulated by drywet.",
        server_version="1.0",
        server_vendor_url="https://example.org",
    )
    server.set_feature_implementation(feature, _implementation(feature, server, twin, loop))
    server.start_insecure("127.0.0.1", port, enable_discovery=False)
    try:
        yield server
    finally:
        server.stop()


def _implementation(
    feature: Any, server: SilaServer, twin: SilaChamberTwin, loop: asyncio.AbstractEventLoop
) -> Any:
    from sila2.framework import DefinedExecutionError
    from sila2.server import FeatureImplementationBase

    def on_loop(work: Callable[[], T]) -> T:
        async def call() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(call(), loop).result()

    class Controller(FeatureImplementationBase):
        """The feature's one command and one property, by the names that the package looks for."""

        def __init__(self) -> None:
            super().__init__(parent_server=server)
            self._CurrentTemperature_producer_queue: Queue[float] = Queue()
            self.ControlTemperature_default_lifetime_of_execution = None
            self._ended = False
            self.run_periodically(self._show, SHOW_EVERY_S)

        def _show(self) -> None:
            self._CurrentTemperature_producer_queue.put(on_loop(twin.current_k))

        def CurrentTemperature_on_subscription(self, *, metadata: Any) -> None:  # noqa: N802  (the package looks for it)
            """Everybody follows the same values."""

        def stop(self) -> None:
            self._ended = True
            super().stop()

        def ControlTemperature(self, target_k: float, *, metadata: Any, instance: Any) -> None:  # noqa: N802  (the same)
            execution = on_loop(lambda: twin.begin(target_k))
            instance.begin_execution()
            while not self._ended:
                status = on_loop(lambda: twin.status(execution))
                if status == "finishedSuccessfully":
                    return
                if status != "running":
                    raise DefinedExecutionError(feature.defined_execution_errors[status], "another one came")
                time.sleep(SHOW_EVERY_S)

    return Controller()
