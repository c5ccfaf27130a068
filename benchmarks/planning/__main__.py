"""The command line: run campaigns, print tables, draw figures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.machine import RESULTS
from benchmarks.planning import figures, harness, latency
from benchmarks.planning.aims import aims
from benchmarks.planning.methods import methods
from benchmarks.planning.report import coverage, report
from benchmarks.planning.sets import DEVELOPMENT, REPORT, TIMING, names
from lab.errors import BadInput, MissingData

TEACHES = """\
Planners measured against peers on published measurements (benchmarks/planning/README.md).

  python -m benchmarks.planning run --sets dev --methods ours,random --seeds 10
  python -m benchmarks.planning run --sets p3ht,photo_wf3 --methods "ours,ours:beta=1;acquisition=log_ei" --seeds 5
  python -m benchmarks.planning run --sets gb1 --methods ours@own --seeds 5      it chooses its first batch too
  python -m benchmarks.planning run --sets dev --methods peers --seeds 10 --jobs 2
  python -m benchmarks.planning table --sets dev                                   of all that was run so far
  python -m benchmarks.planning figures --sets dev
  python -m benchmarks.planning latency --methods ours,botorch                     the table alone without --methods

What was run is kept in build/planning and not run again; stop at any time and go on with the same command. After a
planner changed, --again runs it again, and the newest counts; or keep an attempt apart with --out FOLDER.
"""


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.planning",
        description=TEACHES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in COMMANDS.items():
        own = commands.add_parser(
            name, help=about, description=TEACHES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        own.add_argument(
            "--sets",
            type=_list,
            default=list(TIMING) if name == "latency" else ["dev"],
            help=f"names with commas between; dev: {', '.join(DEVELOPMENT)}; report, when the planner is frozen: "
            f"{', '.join(REPORT)}",
        )
        own.add_argument("--out", type=Path, default=harness.RUNS, help="folder of the runs (build/planning)")
        own.add_argument(
            "--methods",
            type=_list,
            default=["ours", "random"] if name == "run" else [],
            help="see above; peers: all of them",
        )
        if name == "table":
            own.add_argument(
                "--keep", action="store_true", help="also write it, aims and coverage to benchmarks/results"
            )
        if name == "figures":
            own.add_argument("--to", type=Path, default=RESULTS, help="folder (benchmarks/results)")
        if name == "latency":
            own.add_argument("--asks", type=int, default=latency.ASKS, help="how many of each")
        if name == "run":
            own.add_argument("--seeds", type=int, default=10, help="seeds 0 to SEEDS - 1")
            own.add_argument("--first-seed", type=int, default=0, help="begin at this one instead of 0")
            own.add_argument("--jobs", type=int, default=1, help="campaigns at a time, each on one core")
            own.add_argument("--again", action="store_true", help="run what is there again")
            own.add_argument(
                "--frozen", action="store_true", help="the planner is frozen: report sets may be run"
            )
    return parser


COMMANDS = {
    "run": "run campaigns",
    "table": "tables of what was run so far, in Markdown",
    "aims": "what is aimed at on named sets, and what was reached",
    "figures": "draw best so far on every set, and beside published runs",
    "coverage": "how often 95 % intervals held the published value",
    "latency": "time one ask on pools of 5,000 and 150,000, and print the table; --sets names pools (all)",
}


def _run(arguments: argparse.Namespace) -> None:
    sets = names(arguments.sets)
    if set(sets) & set(REPORT) and not arguments.frozen:
        raise BadInput(
            "Report sets are run once, when the planner is frozen.", way_out="If it is, say so with --frozen."
        )
    seeds = range(arguments.first_seed, arguments.seeds)
    left = harness.jobs_left(methods(arguments.methods), sets, seeds, arguments.out, arguments.again)
    print(f"{len(left)} campaigns to run.", file=sys.stderr)
    harness.run_all(left, workers=arguments.jobs, folder=arguments.out)


def _latency(arguments: argparse.Namespace) -> None:
    for pool in arguments.sets:
        for method in methods(arguments.methods):
            latency.keep(latency.measure(method, pool, arguments.out, arguments.asks), arguments.out)
    print(latency.table(arguments.out))


def _table(arguments: argparse.Namespace) -> None:
    sets, wanted = names(arguments.sets), _wanted(arguments)
    title = {"dev": "Planners on the development sets", "report": "Planners on the report sets"}
    text = report(arguments.out, sets, wanted, title.get(arguments.sets[0], "Planners"))
    if arguments.keep:
        # what a reader wants first stands first; the development sets carry the aims
        parts = [text, coverage(arguments.out, sets, wanted)]
        if "gb1" in sets:
            parts[1:1] = [aims(arguments.out, wanted)]
        file = RESULTS / f"planning_{arguments.sets[0]}.md"
        file.write_text("\n\n".join(parts).rstrip() + "\n")
    print(text)


def _figures(arguments: argparse.Namespace) -> None:
    figures.overview(arguments.out, names(arguments.sets), arguments.to / f"planning_{arguments.sets[0]}.svg")
    if "gb1" in names(arguments.sets):
        figures.beside_published(arguments.out, arguments.to / "planning_published.svg")


def _wanted(arguments: argparse.Namespace) -> list[str]:
    return [method.name for method in methods(arguments.methods)]


def main() -> None:
    """Read the command line and do it."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "run":
                _run(arguments)
            case "latency":
                _latency(arguments)
            case "figures":
                _figures(arguments)
            case "aims":
                print(aims(arguments.out, _wanted(arguments)))
            case "coverage":
                print(coverage(arguments.out, names(arguments.sets), _wanted(arguments)))
            case _:
                _table(arguments)
    except (BadInput, MissingData) as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
