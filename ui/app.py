"""The console: pages for people, over the lab service's API and nothing else.

A page is a module under ``pages/`` with ``page(lab)``, which draws it with Streamlit; ``lab`` is a
:class:`lab.client.Client` in the name of whoever is logged in. It is listed in :data:`PAGES` with what its reader must be
allowed to do. What moves is drawn by components (:mod:`ui.parts.components`) from the console's live routes
(:mod:`ui.live`); the rest asks the service when it is drawn, and again every few seconds where it is a fragment.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib import import_module
from typing import Any

import streamlit as st

from lab.client import Client, Refused, Unreachable
from ui.parts.components import bar, keep_login, page_style
from ui.parts.session import COOKIE, KEPT, lab_of, service_url
from ui.parts.showing import PICTURE_KEY, PICTURES, literal, refusal

__all__ = ["PAGES", "main"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the console.

    Args:
        name: of its module under ``pages/``, and in its address.
        needs: permission without which it is not offered.
    """

    title: str
    name: str
    section: str
    needs: str = "see"


PAGES = (
    Page("Overview", "overview", "Lab"),
    Page("Live run", "live_run", "Lab"),
    Page("Approve", "approve", "Lab"),
    Page("Devices", "devices", "Lab"),
    Page("Worklists", "worklists", "Lab"),
    Page("New campaign", "new_campaign", "Campaigns"),
    Page("Results", "results", "Campaigns"),
    Page("Queue", "queue", "Campaigns"),
    Page("Schedule", "schedule", "Campaigns"),
    Page("Samples", "samples", "Records"),
    Page("Twin against measured", "twin_against_measured", "Records"),
    Page("Faults and audit", "faults", "Records"),
    Page("Export", "export", "Records"),
    Page("Users", "users", "Settings", "administer"),
    Page("My account", "account", "Settings"),
)
"""In the order of the menu."""


def main() -> None:
    """Draw the page that was asked for, or the login."""
    st.set_page_config(page_title="drywet", layout="wide", menu_items={})
    page_style()
    token = _token()
    if not token:
        _instead(_login)
        bar(logged_in=False)
        return
    lab = lab_of(service_url(), token)
    try:
        me = lab.me()
    except (Refused, Unreachable) as error:
        ended = isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED
        if ended:
            _log_out("")
        _instead(partial(_login if ended else _no_answer, error))
        bar(logged_in=not ended)
        return
    chosen = st.navigation(_menu(lambda page: partial(_draw, page.name, lab), me["somewhere"]), expanded=True)
    _sidebar(lab, me)
    bar(logged_in=True)  # before the page, so that stopping is in reach where the page fails
    chosen.run()


def _menu(
    draws: Callable[[Page], Callable[[], None]], allowed: Container[str] | None = None
) -> dict[str, list[st.Page]]:
    """The pages by section: those that somebody may see, or all."""
    menu: dict[str, list[st.Page]] = {}
    for page in PAGES:
        if allowed is None or page.needs in allowed:
            shown = st.Page(
                draws(page), title=page.title, url_path=page.name, default=page.name == PAGES[0].name
            )
            menu.setdefault(page.section, []).append(shown)
    return menu


def _instead(draw: Callable[[], None]) -> None:
    """Show this at the address of every page, so that the page that was asked for comes after it."""
    st.navigation(_menu(lambda page: draw), position="hidden").run()


def _no_answer(error: Refused | Unreachable) -> None:
    st.title("drywet")
    refusal(error)
    st.button("Try again", shortcut="Alt+T")


def _draw(name: str, lab: Client) -> None:
    draw: Callable[[Client], None] = import_module(f"ui.pages.{name}").page
    try:
        draw(lab)
    except Refused as refused:
        refusal(refused)
    except Unreachable as gone:
        refusal(gone)


def _token() -> str:
    """Of this session, or of the browser that has loaded the page anew."""
    if "token" not in st.session_state:
        st.session_state.token = KEPT.token_of(st.context.cookies.get(COOKIE, ""))
    word = st.session_state.pop("keep", "")
    if word:
        keep_login(word)
    return str(st.session_state.token)


def _login(why: Refused | Unreachable | None = None) -> None:
    st.title("drywet")
    if why is not None:
        refusal(why)
    st.caption(f"Lab service at `{service_url()}`")
    ways = _ways()
    if ways["sentence"]:
        st.info(literal(ways["sentence"]))
    if ways["provider"]:
        st.link_button(ways["provider"], "/live/elsewhere", type="primary")
    if not ways["passwords"]:
        return
    with st.form("login", width=420):
        name = st.text_input("Name", autocomplete="username")
        password = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Log in", type="primary")
    if not sent:
        return
    with Client(service_url()) as lab:
        try:
            lab.login(name.strip(), password)
        except (Refused, Unreachable) as error:
            refusal(error)
            return
    st.session_state.token = lab.token
    st.session_state.keep = KEPT.offer(lab.token)
    st.rerun()


def _ways() -> Mapping[str, Any]:
    """How people log in here; with a password where nobody says."""
    with Client(service_url()) as lab:
        try:
            found: Mapping[str, Any] = lab.get("/login")
        except (Refused, Unreachable):
            return {"passwords": True, "provider": None, "sentence": ""}
    return found


def _log_out(token: str) -> None:
    if token:
        try:
            lab_of(service_url(), token).logout()
        except (Refused, Unreachable):
            st.toast("The service does not answer; the session ends there by itself.")
    st.session_state.token = ""
    keep_login("out", out=True)


def _sidebar(lab: Client, me: dict[str, object]) -> None:
    person = me["person"]
    assert isinstance(person, dict)
    with st.sidebar:
        st.markdown(f"**{literal(person['full_name'] or person['name'])}**")
        st.caption(f"{', '.join(person['roles']) or 'no role'} at `{lab.url.partition('://')[2]}`")
        st.radio("Figures are kept as", PICTURES, horizontal=True, key=PICTURE_KEY)
        st.button("Log out", on_click=_log_out, args=(lab.token,))
