"""``nerfloss completion``: scripts that complete commands, groups, choices and settings."""

import argparse

SUMMARY = "print the script for tab completion in bash, zsh or fish"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "completion",
        help=SUMMARY,
        description=SUMMARY.capitalize() + '. Use: eval "$(nerfloss completion bash)"',
    )
    command.add_argument("shell", choices=["bash", "zsh", "fish"])
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script of a shell."""
    from nerfloss.cli.reference.completion_scripts import completion_script

    print(completion_script(options.shell), end="")
    return 0
