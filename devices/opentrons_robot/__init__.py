"""Opentrons OT-2 and Flex over the robot's HTTP API; :mod:`devices.opentrons_robot.robot` is the device."""
