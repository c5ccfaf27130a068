"""Planners measured against peers on published measurements; see README.md beside this file."""
