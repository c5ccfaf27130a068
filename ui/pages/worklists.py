"""Worklists: what the people at a bench are asked to do, what must stand where, and what is on order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import download_table, literal, said, spoken, table

__all__ = ["page"]

Json = Mapping[str, Any]

_UNFINISHED = ("running", "held", "stopped")

_PAPERS = {
    "worklist.html": "To print, with plate maps",
    "worklist.csv": "Line by line (CSV)",
    "results.csv": "Results, to fill in (CSV)",
}

_SAID = {
    "done": "All of it was done",
    "not-done": "Nothing was done",
    "unsure": "Something was, or nobody is sure",
}


def page(lab: Client) -> None:
    """Show it."""
    st.title("Worklists")
    tasks, decks, orders = st.tabs(["To do", "What must stand where", "On order"])
    with tasks:
        _tasks(lab)
    with decks:
        _checklist(lab)
    with orders:
        _orders(lab)


def _tasks(lab: Client) -> None:
    everything = st.toggle("Also what was handed in", key="worklists_all")
    found = said(lambda: lab.worklists(everything=everything))
    if found is None:
        return
    if not found:
        st.info("No worklist is out. They come where a person stands in for an instrument.")
        return
    by_key = {f"{one['place']}/{one['id']}": one for one in found}
    chosen = st.selectbox(
        "Worklist", list(by_key), format_func=lambda key: _named(by_key[key]), key="worklist_chosen"
    )
    _worklist(lab, by_key[chosen])


def _named(one: Json) -> str:
    words = f"{one['id']}: {one['title']} ({one['device']}, {one['workcell']})"
    return f"{words}, {one['said']} by {one['by']}" if one["said"] else words


def _worklist(lab: Client, one: Json) -> None:
    place, sheet = one["place"], one["id"]
    full = said(lambda: lab.worklist(place, sheet))
    if full is None:
        return
    campaigns = ", ".join(one["campaigns"]) or "no campaign that goes on"
    st.caption(literal(f"Handed out {one['made_utc'][:16].replace('T', ' ')} UTC, for {campaigns}."))
    papers = st.container(horizontal=True)
    for name in one["papers"]:
        content = said(partial(lab.paper, place, sheet, name))
        if content is not None:
            papers.download_button(
                _PAPERS[name], content, f"{sheet}_{name}", on_click="ignore", key=f"{name}_{sheet}"
            )
    table(
        [
            {
                "what": line["action"],
                "from": f"{line['source']} {line['source_well']}".strip(),
                "holds": line["holds"],
                "to": f"{line['target']} {line['target_well']}".strip(),
                "µl": line["volume_ul"],
                "note": line["note"],
            }
            for line in full["lines"]
        ]
    )
    if one["said"]:
        note = f": {one['note']}" if one["note"] else "."
        st.info(spoken(f"Handed in as {one['said']} by {one['by']}{note}"))
    else:
        _hand_in(lab, one)


def _hand_in(lab: Client, one: Json) -> None:
    sheet = one["id"]
    st.subheader("Hand it in")
    if one["asks_for"]:
        st.caption(literal(f"It asks for {one['asks_for']}."))
    word = st.radio("What became of it", list(_SAID), format_func=_SAID.__getitem__, key=f"said_{sheet}")
    file = None
    more: dict[str, str] = {}
    if one["asks_for"] and word == "done":
        file = st.file_uploader(
            "What was measured", ["csv", "txt", "tsv", "xlsx", "xls"], key=f"file_{sheet}",
            help="A list of wells or a grid, CSV or Excel. Nothing of it is used while anything in it is wrong.",
        )  # fmt: skip
        left, right = st.columns(2)
        more["barcode"] = left.text_input(
            "Barcode of the plate", key=f"barcode_{sheet}", help="Where the file names none."
        ).strip()
        more["page"] = right.text_input(
            "Page of the workbook", key=f"page_{sheet}", help="The first, if nothing is written here."
        ).strip()
    note = st.text_input("Note", key=f"note_{sheet}", max_chars=2000)
    if not st.button("Hand in", type="primary", key=f"hand_in_{sheet}"):
        return
    given = None if file is None else (_plain(file.name), file.getvalue())
    if said(lambda: lab.hand_in(one["place"], sheet, word, note=note, results=given, **more)) is not None:
        st.toast(f"{sheet} is handed in.")
        st.rerun()


def _plain(name: str) -> str:
    """The name of a file without what the service takes for no name."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_. ()-") else "_" for c in name)
    return f"_{kept}"[-100:] if not kept[:1].isalnum() else kept[-100:]


def _checklist(lab: Client) -> None:
    found = said(lab.campaigns)
    if found is None:
        return
    waiting = [one for one in found if one["status"] in _UNFINISHED]
    if not waiting:
        st.info("No campaign is under way.")
        return
    names = {one["id"]: one["name"] for one in waiting}
    campaign = st.selectbox("Campaign", list(names), format_func=names.__getitem__, key="worklists_campaign")
    listed = said(lambda: lab.checklist(campaign))
    if listed is None:
        return
    kind = "real" if listed["real"] else "of a twin"
    st.caption(literal(f"The bench of {listed['title']}, {kind}, as it is believed to be now."))
    rows = [
        {
            "position": one["position"],
            "labware": one["labware"],
            "type": one["type"],
            "barcode": one["barcode"],
            "what is in it": one["contents"],
        }
        for one in listed["pieces"]
    ]
    table(rows)
    download_table(rows, f"checklist_{listed['title']}")


def _orders(lab: Client) -> None:
    found = said(lambda: lab.orders())
    if found is None:
        return
    if not found:
        st.info("Nothing is on order.")
        return
    table(
        [
            {
                "material": one["candidate_id"],
                "kind": one["kind"],
                "supplier": one["supplier"],
                "µl": one["volume_ul"],
                "state": one["status"],
                "reference": one["reference"],
                "sequence": one["sequence"],
            }
            for one in found
        ]
    )
    by_id = {one["id"]: one for one in found}
    order = st.selectbox("Order", list(by_id), format_func=lambda key: _order(by_id[key]), key="order_chosen")
    one = by_id[order]
    if one["status"] == "wanted":
        _place(lab, one)
    _receive(lab, one)
    _cancel(lab, one)


def _order(one: Json) -> str:
    return f"{one['candidate_id']} from {one['supplier']} ({one['status']})"


def _place(lab: Client, one: Json) -> None:
    with st.form(f"place_{one['id']}", border=False):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        reference = left.text_input("The supplier's number")
        if right.form_submit_button("It was ordered"):
            _settled(said(lambda: lab.place_order(one["id"], reference.strip())))


def _receive(lab: Client, one: Json) -> None:
    with st.form(f"receive_{one['id']}", border=False):
        columns = st.columns([3, 1, 1, 1], vertical_alignment="bottom")
        barcode = columns[0].text_input("Barcode of the plate", help="Scan it.")
        well = columns[1].text_input("Well", help="The next free one, if nothing is written here.")
        volume = columns[2].number_input("µl", value=None, min_value=0.1, format="%g")
        if columns[3].form_submit_button("It came", type="primary"):
            received = said(
                lambda: lab.receive_order(
                    one["id"], barcode=barcode.strip(), well=well.strip(), volume_ul=volume
                )
            )
            _settled(received)


def _cancel(lab: Client, one: Json) -> None:
    with st.form(f"cancel_{one['id']}", border=False):
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        why = left.text_input("Why it does not come")
        if right.form_submit_button("It does not come"):
            _settled(said(lambda: lab.cancel_order(one["id"], why.strip())))


def _settled(order: Json | None) -> None:
    if order is not None:
        st.toast(literal(f"{order['candidate_id']}: {order['status']}."))
        st.rerun()
