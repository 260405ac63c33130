"""The command `minidecay`, which is also `python -m minidecay`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from minidecay import __version__
from minidecay.console import tolerant
from minidecay.cuda import command


@tolerant
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (by default the process's own) and return its exit code.

    0 when the command did what it should, 1 when what it looked at does not hold (a claim of an
    experiment, the core of the installation); wrong use ends with SystemExit(2), as in argparse.
    """
    parser = argparse.ArgumentParser(
        prog="minidecay", description="Experiments on learning-rate decay, from scratch on NumPy."
    )
    parser.add_argument("--version", action="version", version=f"minidecay {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("doctor", help="tell what works here, and how to get what does not")
    commands.add_parser("list", help="name the experiments, and how long each takes here")
    run = commands.add_parser("run", help="run an experiment", usage="%(prog)s NAME [OPTION ...]")
    run.add_argument(
        "name", metavar="NAME", help="an experiment that `minidecay list` names, or all"
    )
    run.add_argument(
        "options",
        metavar="OPTION",
        nargs=argparse.REMAINDER,
        help="the experiment's own options: `minidecay run NAME --help` lists them",
    )
    verdicts = commands.add_parser("verdicts", help="the claims of finished runs, as a table")
    verdicts.add_argument("folder", metavar="DIR", type=Path, help="a folder that `run` wrote into")
    verdicts.add_argument(
        "--keep", metavar="DIR", type=Path, help="write claims and pictures into this folder"
    )
    kernels = commands.add_parser(
        "kernels", help="list the CUDA kernels, and check them on the CPU"
    )
    command.add_arguments(kernels)
    schedules = commands.add_parser("schedules", help="list the learning-rate schedules, drawn")
    schedules.add_argument("--plot", metavar="PATH", help="draw them all into a .png, .pdf or .svg")
    arguments = parser.parse_args(argv)
    match arguments.command:
        case "doctor":
            from minidecay import doctor

            return doctor.main()
        case "list":
            return _list()
        case "run":
            return _run(run, arguments.name, arguments.options)
        case "verdicts":
            return _verdicts(verdicts, arguments.folder, arguments.keep)
        case "kernels":
            return command.main(arguments)
        case "schedules":
            return _schedules(schedules, arguments.plot)
    parser.print_help(sys.stderr)
    return 2


def _list() -> int:
    from minidecay import lab
    from minidecay.lab.machinery import listing

    print(listing.table_of([lab.load(name) for name in lab.EXPERIMENTS]))
    return 0


def _run(parser: argparse.ArgumentParser, name: str, options: list[str]) -> int:
    from minidecay import lab
    from minidecay.lab.machinery import command as laboratory

    prog = f"minidecay run {name}"
    if name == "all":
        every = [lab.load(each) for each in lab.EXPERIMENTS]
        return laboratory.main_of_all(every, options, prog)
    if name not in lab.EXPERIMENTS:
        known = ", ".join([*lab.EXPERIMENTS, "all"])
        parser.error(f"no experiment is called {name!r}; choose from {known}")
    return laboratory.main(lab.load(name), options, prog)


def _verdicts(parser: argparse.ArgumentParser, folder: Path, keep: Path | None) -> int:
    from minidecay.lab.machinery import verdicts

    try:
        written = verdicts.keep(folder, keep) if keep else []
        told = verdicts.markdown(keep or folder)
    except OSError as error:
        parser.error(f"{error.filename} cannot be used ({error.strerror}); choose another folder")
    except ValueError as error:
        parser.error(str(error))
    print(told)
    for path in written:
        print(f"kept  {path}")
    return 0


def _schedules(parser: argparse.ArgumentParser, path: str | None) -> int:
    import shutil

    from minidecay.optim.schedules import preview

    if path is not None:
        from minidecay import plots

        try:
            plots.schedules([*preview.EXAMPLES], epochs=preview.EPOCHS, path=path)
        except (OSError, ValueError) as error:
            parser.error(f"{path} cannot be drawn: {error}")
        print(f"drawn: {path}")
        return 0
    try:
        preview.BLOCKS.encode(sys.stdout.encoding or "ascii")
        plain = False
    except UnicodeEncodeError:
        plain = True
    print(preview.listing(shutil.get_terminal_size((100, 24)).columns, plain))
    print(
        "\nEach over 30 epochs; step k of n an epoch trains at schedule(k / n).\n"
        "Rates that follow the loss, AutoDecay and Plateau, are in minidecay.optim.controllers."
    )
    return 0
