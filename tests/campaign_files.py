"""The repository's own campaign, made smaller or otherwise changed, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def write_campaign(
    folder: Path, name: str = "small", *, workcell: str = "bench.yaml", **changes: str | int
) -> Path:
    """Write campaign, candidate and workcell file; gives the path of the first.

    Args:
        workcell: name of the workcell file; campaigns that share one share the bench.
        changes: top-level fields of the campaign file with their new values (``budget=6``).
    """
    text = (REPOSITORY / "campaigns" / "thermostable_protein_g.yaml").read_text()
    fields = {"name": name, "workcell": workcell, **changes}
    lines = text.splitlines()
    for field, value in fields.items():
        (place,) = [n for n, line in enumerate(lines) if line.startswith(f"{field}:")]
        lines[place] = f"{field}: {value}"
    library = (REPOSITORY / "campaigns" / "protein_g_library.csv").read_text()
    bench = (REPOSITORY / "workcells" / "protein_bench_twin.yaml").read_text()
    (folder / "protein_g_library.csv").write_text(library)
    (folder / workcell).write_text(bench)
    path = folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path
