"""Users: who may act here, what they may do, and the tokens of people and programs. For admins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import literal, said

__all__ = ["page"]

Json = Mapping[str, Any]


def page(lab: Client) -> None:
    """Show it."""
    st.title("Users")
    if sentence := st.session_state.pop("users_said", ""):
        st.success(literal(sentence))
    found = said(lambda: (lab.get("/people"), lab.get("/roles"), lab.me()))
    if found is None:
        return
    people, roles, me = found
    tabs = st.tabs(["People and programs", "Add somebody", "Tokens", "Roles"])
    with tabs[0]:
        _people(lab, people, roles, me)
    with tabs[1]:
        _add(lab, roles)
    with tabs[2]:
        _tokens(lab, people, me)
    with tabs[3]:
        st.dataframe(
            [{"role": one["role"], "may": ", ".join(one["permissions"])} for one in roles],
            hide_index=True,
            width="stretch",
        )
        st.caption("Somebody may have several roles. An admin alone neither starts nor approves anything.")


def _people(lab: Client, people: Sequence[Json], roles: Sequence[Json], me: Json) -> None:
    st.dataframe([_row(one) for one in people], hide_index=True, width="stretch")
    by_name = {one["name"]: one for one in people}
    chosen = st.selectbox("Change", list(by_name), index=None, key="users_who", placeholder="Choose somebody")
    if chosen is None:
        return
    one = by_name[chosen]
    key = f"{one['id']}_{one['version']}"
    own = one["id"] == me["person"]["id"]
    with st.form(f"change_{key}"):
        full_name = st.text_input("Full name", one["full_name"])
        email = st.text_input("E-mail", one["email"])
        given = st.multiselect(
            "Roles", [role["role"] for role in roles], one["roles"], disabled=own, key=f"roles_{key}"
        )
        active = st.toggle(
            "May act here",
            one["active"],
            disabled=own,
            key=f"active_{key}",
            help="Whoever may not any more loses their sessions and tokens for good.",
        )
        sent = st.form_submit_button("Change", type="primary")
    if own:
        st.caption("Nobody changes what they may do themselves. Another admin does.")
    if sent:
        changes: dict[str, Any] = {"full_name": full_name, "email": email}
        if not own:
            changes |= {"roles": given, "active": active}
        changed = {name: value for name, value in changes.items() if value != one[name]}
        _do(
            lambda: lab.put(f"/people/{one['name']}", {"expected": one["version"], **changed}),
            f"{one['name']} is changed.",
        )
    if one["grants"]:
        st.caption("For some devices and protocols other roles count:")
        st.json(one["grants"])
    if not own and not one["program"]:
        _password(lab, one)


def _row(one: Json) -> Json:
    return {
        "name": one["name"],
        "full name": one["full_name"],
        "is": "program" if one["program"] else "person",
        "roles": ", ".join(one["roles"]),
        "elsewhere": ", ".join(pattern for kind in one["grants"].values() for pattern in kind),
        "logs in": _how(one),
        "may act": "yes" if one["active"] else "no",
        "since": one["created_utc"][:10],
    }


def _how(one: Json) -> str:
    ways = ["password"] if one["has_password"] else []
    if one["subject"]:
        ways.append("provider")
    return " or ".join(ways) or ("token" if one["program"] else "not yet")


def _password(lab: Client, one: Json) -> None:
    with (
        st.expander("Give a new password"),
        st.form(f"password_{one['id']}", clear_on_submit=True, border=False),
    ):
        password = st.text_input("New password", type="password", autocomplete="new-password")
        sent = st.form_submit_button("Give it")
    if sent:
        _do(
            lambda: lab.put(f"/people/{one['name']}/password", {"password": password}),
            f"{one['name']} has a new password; their sessions have ended.",
        )


def _add(lab: Client, roles: Sequence[Json]) -> None:
    with st.form("users_add", border=False):
        left, right = st.columns(2)
        name = left.text_input("Name", help="Kept with all they do, and never changed.")
        full_name = right.text_input("Full name")
        email = left.text_input("E-mail")
        given = right.multiselect("Roles", [role["role"] for role in roles], ["viewer"])
        program = left.toggle("It is a program", help="It logs in by a token, and may look and propose.")
        password = right.text_input(
            "Password",
            type="password",
            autocomplete="new-password",
            help="Left empty where they log in elsewhere, or not yet.",
        )
        sent = st.form_submit_button("Add", type="primary")
    if sent:
        body = {
            "name": name.strip(),
            "full_name": full_name,
            "email": email,
            "roles": given,
            "program": program,
            "password": password or None,
        }
        _do(lambda: lab.post("/people", body), f"{name.strip()} is added.")


def _tokens(lab: Client, people: Sequence[Json], me: Json) -> None:
    found = said(lambda: lab.get("/tokens", person="*"))
    if found is None:
        return
    now = datetime.now(UTC)
    good = [
        one for one in found if not one["revoked_utc"] and datetime.fromisoformat(one["expires_utc"]) > now
    ]
    event = st.dataframe(
        [
            {
                "whose": one["person"],
                "kind": one["kind"],
                "what for": one["name"],
                "good for": ", ".join(one["scope"]),
                "used (UTC)": (one["used_utc"] or "never")[:16].replace("T", " "),
                "until (UTC)": one["expires_utc"][:16].replace("T", " "),
            }
            for one in good
        ],
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="multi-row",
        key=f"tokens_{len(found)}_{len(good)}",
    )
    chosen = [good[n] for n in event.selection.rows if n < len(good)]
    st.button(
        f"End {len(chosen)} chosen" if chosen else "Choose rows to end them",
        disabled=not chosen,
        on_click=_end,
        args=(lab, chosen),
    )
    if secret := st.session_state.pop("users_secret", ""):
        st.success("The token is made. It is shown this once.")
        st.code(secret, language=None)
    owners = [me["person"]["name"], *(one["name"] for one in people if one["program"] and one["active"])]
    with st.expander("Make a token for a program or a script"), st.form("users_new_token", border=False):
        owner = st.selectbox("Whose", owners)
        name = st.text_input("What for")
        days = st.number_input("Good for (days)", 1, 3660, 90)
        scope = st.multiselect("May", me["somewhere"], ["see"])
        sent = st.form_submit_button("Make it", type="primary")
    if sent:
        body = {"name": name, "days": int(days), "scope": scope, "person": owner}
        made = said(lambda: lab.post("/tokens", body))
        if made is not None:
            st.session_state.users_secret = made["token"]
            st.rerun()


def _end(lab: Client, tokens: Sequence[Json]) -> None:
    ended = said(lambda: [lab.delete(f"/tokens/{one['id']}") for one in tokens])
    if ended is not None:
        st.session_state.users_said = f"{len(ended)} ended."


def _do(do: Any, sentence: str) -> None:
    """Have something done, and draw the page anew with what came of it."""
    if said(lambda: do() or True) is not None:
        st.session_state.users_said = sentence
        st.rerun()
