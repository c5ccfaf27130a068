"""The console's server: Streamlit's application with the routes of :mod:`ui.live` beside it. ``drywet console`` runs it."""

from __future__ import annotations

import gc
from importlib import import_module

import streamlit as st

from ui.live import ROUTES

__all__ = ["app"]

for _name in ("pandas", "plotly.graph_objects"):
    # Before anybody looks on: pages are drawn in threads, and plotly takes a pandas that another thread is still importing.
    import_module(_name)

gc.freeze()  # what is imported stays, so it is not looked through for garbage either: that would hold up every viewer

app = st.App("start/console.py", routes=ROUTES)
