"""Samples: what stands where, what each was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import download_table, literal, said

__all__ = ["page"]

Json = Mapping[str, Any]

_MOST = 200


def page(lab: Client) -> None:
    """Show it."""
    st.title("Samples")
    benches = said(lambda: lab.get("/benches"))
    if benches is None:
        return
    if not benches:
        st.info("There is no bench yet; the first campaign makes one.")
        return
    by_id = {one["id"]: one for one in benches}
    left, right = st.columns([2, 3])
    bench = left.selectbox(
        "Bench", list(by_id), format_func=lambda one: _bench(by_id[one]), key="samples_bench"
    )
    written = right.text_input(
        "Search", key="samples_search", placeholder="What it holds, its id, or where it stands: assay_1:B7"
    )
    found = said(lambda: lab.get(f"/benches/{bench}/samples", content=written.strip() or None, most=_MOST))
    if found is None:
        return
    samples = found["items"]
    if not samples:
        st.info("Nothing here is called so." if written.strip() else "Nothing was made on this bench yet.")
        return
    shown = "" if found["total"] <= len(samples) else f" The first {len(samples)} are shown."
    st.caption(
        f"{found['total']} sample{'' if found['total'] == 1 else 's'}.{shown} Choose a row to see where it comes from."
    )
    rows = [_row(one) for one in samples]
    event = st.dataframe(
        rows,
        hide_index=True,
        width="stretch",
        height=min(380, 44 + 36 * len(rows)),
        on_select="rerun",
        selection_mode="single-row",
        key=f"samples_{bench}_{written}",
    )
    download_table(rows, "samples")
    chosen = event.selection.rows
    if chosen:
        _lineage(lab, samples[chosen[0]])
    elif len(samples) == 1:
        _lineage(lab, samples[0])


def _bench(one: Json) -> str:
    kind = "twin" if one["twin"] else "REAL"
    return f"{one['workcell']} ({kind}): {', '.join(one['campaigns']) or 'no campaign'}"


def _row(one: Json) -> Json:
    return {
        "where": f"{one['labware']}:{one['well']}",
        "holds": one["content"],
        "made in": one["run_id"] or "there from the start",
        "must not be used": one["barred"],
        "sample": one["id"],
    }


def _lineage(lab: Client, one: Json) -> None:
    found = said(lambda: lab.get(f"/samples/{one['id']}/lineage"))
    if found is None:
        return
    st.subheader(f"{literal(one['content'])} in {one['labware']} {one['well']}")
    st.caption(one["id"])
    if one["barred"]:
        st.warning(f"It must not be used: {literal(one['barred'])}")
    left, right = st.columns(2)
    with left:
        nothing = "Nothing was put into it." if one["run_id"] else "It stood here from the start."
        _several("Made from", found["made_from"], nothing)
    with right:
        _several("Went into", found["went_into"], "Nothing was made from it.")


def _several(heading: str, pours: Sequence[Json], nothing: str) -> None:
    st.markdown(f"**{heading}**")
    if not pours:
        st.caption(nothing)
        return
    st.dataframe(
        [
            {
                "where": f"{one['labware']}:{one['well']}",
                "holds": one["holds"],
                "µl": one["volume_ul"],
                "for certain": "yes" if one["certain"] else "nobody knows",
                "sample": one["sample"],
            }
            for one in pours
        ],
        hide_index=True,
        width="stretch",
        height=min(300, 40 + 36 * len(pours)),
    )
    st.caption("Search for where one stands to follow it on.")
