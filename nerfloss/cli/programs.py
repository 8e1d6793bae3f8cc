"""``nerfloss train`` and ``nerfloss eval``: commands whose arguments are Hydra's."""

from collections.abc import Sequence

import nerfloss

SUMMARIES = {
    "train": "train a model, evaluate it, and write both to a folder of its own",
    "eval": "evaluate a trained model again, e.g. on other views or moved data",
}


def run_program(name: str, arguments: Sequence[str]) -> int:
    """Run ``train`` or ``eval``; its help and version are answered without loading torch."""
    if {"--help", "-h"} & set(arguments):
        from nerfloss.cli.program_help import help_of

        print(help_of(name))
        return 0
    if "--version" in arguments:
        print(f"nerfloss {nerfloss.__version__}")
        return 0
    from nerfloss.assembly.renamed_settings import refuse_renamed

    _refuse_pickles(arguments)
    refuse_renamed([word for word in arguments if not word.startswith("-")])
    if name == "train":
        from nerfloss.cli import train as program
    else:
        from nerfloss.cli import eval as program
    program.run(arguments)
    return 0


def _refuse_pickles(arguments: Sequence[str]) -> None:
    """Raise ValueError for Hydra's ``--experimental-rerun FILE``: reading its pickle runs code.

    Hydra takes each unambiguous beginning of an option for the option.
    """
    for word in arguments:
        option = word.partition("=")[0]
        if option.startswith("--e") and "--experimental-rerun".startswith(option):
            raise ValueError(
                f"{word}: the pickle that it reads can run any program; repeat a run by the "
                f"settings in its .hydra/overrides.yaml, or continue it: trainer.resume=RUN"
            )
