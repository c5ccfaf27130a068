"""What Streamlit runs for each window, again and again.

In a folder of its own: Streamlit would make a menu of a folder ``pages`` beside it.
"""

from __future__ import annotations

from ui.app import main

main()
