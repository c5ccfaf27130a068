"""Export: a campaign's report, its tables, and the files that it was frozen with."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lab.client import Client
from ui.parts.showing import choose_campaign, said, table_csv

__all__ = ["campaign_zip", "flat", "page"]

Json = Mapping[str, Any]


def page(lab: Client) -> None:
    """Show it."""
    st.title("Export")
    chosen = choose_campaign(lab, key="export_campaign")
    if chosen is None:
        return
    campaign = said(lambda: lab.campaign(chosen))
    if campaign is None:
        return
    if campaign["twin"]:
        st.caption("Measured on a digital twin: nothing of it is evidence about a real sample.")
    name, version = campaign["name"], f"{chosen}_{campaign['status']}_{campaign['measured']}"
    _offer(
        "Report",
        "One HTML file with everything in it; it opens in any browser.",
        (f"{name}.html", "text/html"),
        lambda: lab.report(chosen),
        f"report_{version}",
    )
    _offer(
        "Observations",
        "Measured values that count, with their errors, their origin and what the quality checks said.",
        (f"{name}_observations.csv", "text/csv"),
        lambda: table_csv(flat(lab.observations(chosen))).encode(),
        f"observations_{version}",
    )
    _offer(
        "Experiments",
        "What was chosen, in the order of asking, with what was predicted and why it was chosen.",
        (f"{name}_experiments.csv", "text/csv"),
        lambda: table_csv(flat(lab.experiments(chosen))).encode(),
        f"experiments_{version}",
    )
    _offer(
        "All of it",
        "A zip file: the files as they were when it began, the campaign, its experiments and its observations.",
        (f"{name}.zip", "application/zip"),
        lambda: campaign_zip(campaign, lab.experiments(chosen), lab.observations(chosen)),
        f"all_{version}",
    )


def _offer(title: str, about: str, named: tuple[str, str], make: Any, key: str) -> None:
    """A file, fetched when somebody asks for it and kept for this visit."""
    with st.container(border=True):
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(f"**{title}**")
        left.caption(about)
        kept = f"export_{key}"
        if kept not in st.session_state and right.button("Make it", key=f"make_{key}", width="stretch"):
            with st.spinner("Putting it together ..."):
                content = said(make)
            if content is not None:
                st.session_state[kept] = content
        if kept in st.session_state:
            right.download_button(
                "Download",
                st.session_state[kept],
                *named,
                key=f"get_{key}",
                on_click="ignore",
                type="primary",
                width="stretch",
            )


def flat(rows: Sequence[Json]) -> list[dict[str, Any]]:
    """Rows with a column for each value of a candidate, and lists as texts."""
    found = []
    for row in rows:
        plain: dict[str, Any] = {}
        for name, value in row.items():
            if isinstance(value, Mapping):
                plain |= {f"{name}.{inner}": one for inner, one in value.items()}
            elif isinstance(value, list):
                plain[name] = "; ".join(str(one) for one in value)
            else:
                plain[name] = value
        found.append(plain)
    return found


def campaign_zip(campaign: Json, experiments: Sequence[Json], observations: Sequence[Json]) -> bytes:
    """Numbers of a campaign as CSV and JSON, with the files as they were when it began."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("campaign.json", json.dumps(campaign, indent=2, ensure_ascii=False))
        packed.writestr("experiments.csv", table_csv(flat(experiments)))
        packed.writestr("observations.csv", table_csv(flat(observations)))
        for name, text in campaign["files"].items():
            packed.writestr(f"files/{_plain(name)}{'.py' if name == 'protocol' else '.yaml'}", text)
    return written.getvalue()


def _plain(name: str) -> str:
    """A name within the zip that leads nowhere else when it is unpacked."""
    return "".join(one if one.isalnum() or one in "-_" else "_" for one in name)
