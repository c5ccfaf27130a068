"""The web console: a Streamlit client of the laboratory's service, and nothing more.

Streamlit puts this folder first on ``sys.path`` when it runs a page of it, so no file here may have the name of a
package: a ``ui/lab.py`` would hide ``lab``.
"""
