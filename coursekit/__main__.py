"""The command line: `python -m coursekit COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from coursekit.errors import CourseError


def _doctor(_args: argparse.Namespace) -> int:
    from coursekit.doctor import report

    print(report())
    return 0


def _download(args: argparse.Namespace) -> int:
    from coursekit.data.downloads import download

    download(args.name)
    return 0


def _train(args: argparse.Namespace) -> int:
    from coursekit.recipes import RECIPES, train

    if args.list:
        for name, plan in RECIPES.items():
            print(f"{name:30} {plan.dataset:7} {plan.fit['epochs']:4} epochs, {plan.seeds} seed(s)")
        return 0
    if args.name is None:
        raise CourseError("train needs the name of a recipe; --list shows them.")
    print(train(args.name, args.seeds, args.device))
    return 0


def _results(args: argparse.Namespace) -> int:
    from coursekit.ledger import part_ids, records, references, table

    ids = part_ids(args.part) if args.part else list(references())
    ids += [] if args.part else [key for key in records() if key not in references()]
    print(table(ids))
    return 0


def _add_others(commands: Any) -> None:
    """Commands whose modules bring their own arguments; all are light to import."""
    from coursekit import publish
    from coursekit.classroom import grade, student

    for name, module, purpose in (
        ("publish", publish, "execute notebooks as pages, or in place and clean"),
        ("student", student, "take the solutions out of notebooks"),
        ("grade", grade, "grade a folder of submissions"),
    ):
        command = commands.add_parser(name, help=purpose)
        module.add_arguments(command)
        command.set_defaults(run=module.main)


def parser() -> argparse.ArgumentParser:
    """Build the command line's parser."""
    top = argparse.ArgumentParser(prog="python -m coursekit", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="show versions, device, data folder, data sets")
    doctor.set_defaults(run=_doctor)

    download = commands.add_parser("download", help="fetch a data set into the data folder")
    download.add_argument("name", help="mnist, fashion_mnist or cifar10")
    download.set_defaults(run=_download)

    train = commands.add_parser("train", help="train and record a shipped checkpoint; resumable")
    train.add_argument("name", nargs="?", help="a recipe, such as vae-conv-dynamic")
    train.add_argument("--seeds", type=int, help="how many seeds, in place of the recipe's number")
    train.add_argument("--device", help="cpu or cuda")
    train.add_argument("--list", action="store_true", help="list the recipes")
    train.set_defaults(run=_train)

    results = commands.add_parser("results", help="print the ledger beside the references")
    results.add_argument("part", nargs="?", help="one part of the references, such as newcomer")
    results.set_defaults(run=_results)

    _add_others(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input gets one sentence on stderr and exit status 2."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except CourseError as error:
        print(f"coursekit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncoursekit: stopped; the same command goes on from here.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
