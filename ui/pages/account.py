"""One's own account: who one is here, what one may do, and one's password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import literal, said

__all__ = ["page"]


def page(lab: Client) -> None:
    """Show it."""
    st.title("My account")
    me = said(lab.me)
    if me is None:
        return
    person = me["person"]
    st.markdown(
        f"**{literal(person['full_name'] or person['name'])}** ({', '.join(person['roles']) or 'no role'})"
    )
    ends = me["token"]["expires_utc"][:16].replace("T", " ")
    st.caption(f"May: {', '.join(me['permissions']) or 'nothing'}. This session ends at {ends} UTC.")
    _mails(lab, person)
    _calendar(lab, person)
    if person["has_password"]:
        _password(lab)


def _mails(lab: Client, person: Mapping[str, Any]) -> None:
    st.subheader("Mails")
    if not person["email"]:
        st.caption("No mail address of yours is known here; an admin can add it.")
        return
    wanted = st.toggle(
        "Tell me by mail of what waits for me",
        person["told_by_mail"],
        key="account_mails",
        help="Approvals that you may give, and campaigns that are held and that you may go on with.",
    )
    st.caption(f"To {literal(person['email'])}.")
    if wanted != person["told_by_mail"] and said(lambda: lab.be_told(by_mail=wanted)) is not None:
        st.rerun()


def _calendar(lab: Client, person: Mapping[str, Any]) -> None:
    st.subheader("Calendar")
    st.caption(
        "An address of your own, at which a calendar program shows what is scheduled. Whoever knows it can read that, "
        "and no more; a new one ends the one before."
    )
    left, right = st.columns([1, 3], width=560)
    if left.button("Make an address", key="account_calendar"):
        made = said(lab.make_calendar)
        if made is not None:
            st.code(f"{lab.url}{made['secret_path']}", language=None)
            st.caption("It is shown this once.")
    ends = person["has_calendar"] and right.button("End my address", key="account_no_calendar")
    if ends and said(lambda: _done(lab.end_calendar)):
        st.success("It leads nowhere any more.")


def _password(lab: Client) -> None:
    st.subheader("Password")
    with st.form("password", width=420, clear_on_submit=True):
        old = st.text_input("Present password", type="password", autocomplete="current-password")
        new = st.text_input("New password", type="password", autocomplete="new-password")
        again = st.text_input("New password again", type="password", autocomplete="new-password")
        if st.form_submit_button("Change password"):
            if new != again:
                st.error("The two new passwords differ.")
            elif said(lambda: _done(lambda: lab.change_password(old, new))):
                st.success("Changed. Other sessions of yours have ended.")


def _done(act: Callable[[], None]) -> bool:
    """Whether it was; what is refused is said."""
    act()
    return True
