"""The ``nerfloss`` command: its subcommands, and how they end."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import nerfloss
from nerfloss.cli.errors import INTERRUPTED, VARIABLE, print_error
from nerfloss.cli.programs import SUMMARIES, run_program
from nerfloss.cli.scene_options import split_settings

# In groups, as --help shows them: a name, and the module of this package that has the command.
COMMANDS = {
    "train and evaluate": dict.fromkeys(SUMMARIES, ""),
    "prepare": {
        "capture": "capture",
        "inspect": "inspect",
        "convert": "convert",
        "priors": "priors",
        "weights": "weights",
    },
    "take away": {
        "render": "render",
        "export": "export",
        "maps": "maps",
        "view": "view",
    },
    "look up": {
        "list": "list_parts",
        "terms": "terms",
        "quantities": "quantities",
        "schedules": "schedules",
    },
    "compare runs": {"report": "report", "compare": "compare", "judge": "judge"},
    "diagnose": {"gradcheck": "gradcheck", "replay": "replay", "bench": "bench"},
    "set up": {"completion": "completion", "docs": "docs"},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status.

    0: done; 2: a mistake in the input, with a message on stderr; 1: a bug, with its traceback, or
    a command's own negative answer; 130: interrupted.
    """
    # Thread pools that spin while they wait take each other's cores; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "--traceback" in words:
        words.remove("--traceback")
        os.environ[VARIABLE] = "1"
    if str(Path.cwd()) not in sys.path:  # losses and configurations in the working directory
        sys.path.append(str(Path.cwd()))
    try:
        words = _trusting(words)
        if words[:1] and words[0] in SUMMARIES:
            return run_program(words[0], words[1:])
        check_command(words)
        words, settings = split_settings(words)
        options = make_parser().parse_args(words, argparse.Namespace(settings=settings))
        return options.run(options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, e.g. head, has closed it
        sys.stderr.close()
        return 0
    except Exception as error:
        return print_error(error)


def _trusting(words: Sequence[str]) -> list[str]:
    """Return a command line without what it says on trust, which is remembered."""
    from nerfloss.assembly.trust.packages import remember, without_trust

    kept, packages = without_trust(words)
    if packages:
        path = remember(packages)
        print(f"trusted from now on: {', '.join(packages)} ({path})", file=sys.stderr)
    return kept


def check_command(words: Sequence[str]) -> None:
    """Raise ValueError if the first word is neither an option nor a command."""
    known = [name for group in COMMANDS.values() for name in group]
    if words and not words[0].startswith("-") and words[0] not in known:
        from nerfloss.assembly.config_groups import closest

        hint = closest(words[0], known) or f": choose from {', '.join(known)}"
        raise ValueError(f"no command is called '{words[0]}'{hint}")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands but ``train`` and ``eval``, which parse for themselves."""
    modules = {
        name: importlib.import_module(f"nerfloss.cli.{module}")
        for group in COMMANDS.values()
        for name, module in group.items()
        if module
    }
    summaries = SUMMARIES | {name: module.SUMMARY for name, module in modules.items()}
    listed = "\n".join(
        "\n".join([f"{group}:", *(f"  {name:<12}{summaries[name]}" for name in names), ""])
        for group, names in COMMANDS.items()
    )
    parser = argparse.ArgumentParser(
        prog="nerfloss",
        usage="nerfloss COMMAND [options]",
        description="Train neural surfaces and radiance fields whose loss is a recipe.\n\n"
        + listed,
        epilog="'nerfloss COMMAND --help' explains one command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nerfloss {nerfloss.__version__}")
    parser.add_argument("--traceback", action="store_true", help="show the traceback of any error")
    parser.add_argument(
        "--trust",
        metavar="PACKAGE",
        help="let stored runs name code of this package; remembered (docs/sharing_runs.md)",
    )
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", prog="nerfloss", help=argparse.SUPPRESS
    )
    for module in modules.values():
        module.add(commands)
    return parser
