"""Planners that rest on BoTorch: for every goal and space, with trust regions, with what earlier campaigns found.

Importing this package imports no torch; its modules do.
"""
