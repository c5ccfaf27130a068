"""Laboratory recipes: typed parameters in, a Bluesky plan out, and observations from what it measured.

``protocols.protocol(name)`` is the door; recipes are imported when they are asked for. They are written with the stubs of
``protocols.steps``.
"""

from protocols.parameters import read_parameters
from protocols.registry import load, protocol, protocol_names

__all__ = ["load", "protocol", "protocol_names", "read_parameters"]
