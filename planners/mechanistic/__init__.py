"""A planner that knows the mechanism: it fits the parameters of a curve and measures where that tells most about them.

Importing this package imports neither torch nor Pyro; its modules do.
"""
