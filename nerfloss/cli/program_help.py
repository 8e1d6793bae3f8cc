"""The help of ``nerfloss train`` and ``nerfloss eval``: groups, common settings and examples."""

import shutil
import textwrap

# Settings that most runs change, in the order of the help.
TRAIN_SETTINGS = {
    "dataset.path=FOLDER": "folder of the scene",
    "trainer.max_steps=N": "number of steps; every schedule ends with them",
    "trainer.max_seconds=N": "time budget instead of a number of steps",
    "trainer.batch_size.samples=N": "samples per step; the number of rays adapts to it",
    "trainer.resume=FOLDER": "continue a run from its last checkpoint",
    "loss.terms.NAME.weight=W": "weight of a term of the recipe",
    "loss/balancer=NAME": "adapt the weights while training",
    "seed=N": "seed of parameters, pixels and samples",
    "device=NAME": "auto, cpu, cuda or cuda:1",
    "eval.images=false": "write no images of the test views",
    "viewer=on": "watch the training in a browser, change weights",
    "hydra.run.dir=FOLDER": "where the run writes (default: below outputs/)",
}
EVAL_SETTINGS = {
    "run=FOLDER": "a run; its last checkpoint is evaluated",
    "checkpoint=FILE": "or one checkpoint of a run",
    "eval.split=train": "evaluate the training views",
    "eval.views=all": "score all views, also where that takes longer than the training",
    "eval.images=false": "write no images",
    "eval.appearance=NAME": "of test views, with appearance=...: mean, identity or fit_left_half",
    "eval.mesh=null": "extract no mesh",
    "eval.video=true": "render an orbit, as 'nerfloss render'",
    "dataset.path=FOLDER": "where the data lies now, if it has moved",
    "trust=[PACKAGE]": "let stored runs name code of this package; it is remembered",
    "device=NAME": "auto, cpu, cuda or cuda:1",
}
FLAGS = {
    "--cfg job": "print the whole configuration with every setting, and stop",
    "-m": "run every combination of comma-separated values (train only)",
    "--traceback": "show the traceback of any error",
    "--hydra-help": "list Hydra's own flags",
    "--version": "print the version",
}
TRAIN_EXAMPLES = """\
nerfloss train                                  a synthetic scene, in about two minutes
nerfloss train model=nerf loss=nerf dataset=blender dataset.path=data/lego
nerfloss train loss=neus_mask +loss/term@loss.terms.dist=distortion loss.terms.dist.weight=0.01
nerfloss train -m loss.terms.eikonal.weight=0.01,0.1,1.0 seeds=[0,1,2]"""
EVAL_EXAMPLES = """\
nerfloss eval run=outputs/analytic/neus_eikonal/2025-01-01_12-00-00
nerfloss eval checkpoint=some/last.pt eval.split=train eval.images=false"""


def help_of(program: str, width: int | None = None) -> str:
    """Return the help of ``train`` or ``eval``, fitted to the terminal or to ``width``."""
    columns = min(width or shutil.get_terminal_size((100, 24)).columns, 110)
    if program == "eval":
        return _eval_help(columns)
    return "\n".join(
        [
            "usage: nerfloss train [GROUP=CHOICE] [SETTING=VALUE] [FLAG] ...",
            "",
            "Train a model on a scene, evaluate it, and write checkpoints, images, a mesh and",
            "metrics to a folder of its own. In a clone: python train.py ...",
            "",
            "Groups and their choices:",
            *_groups(columns),
            "",
            "Common settings:",
            *_columns(TRAIN_SETTINGS, columns),
            "",
            "Flags:",
            *_columns(FLAGS, columns),
            "",
            "Examples:",
            textwrap.indent(TRAIN_EXAMPLES, "  "),
            "",
            "'nerfloss list GROUP' describes choices, 'nerfloss terms NAME' a loss term or recipe.",
        ]
    )


def _eval_help(columns: int) -> str:
    return "\n".join(
        [
            "usage: nerfloss eval run=FOLDER [SETTING=VALUE] ...",
            "",
            "Evaluate a trained model with the configuration of its run; results are written to",
            "FOLDER/eval. In a clone: python eval.py ...",
            "",
            "Common settings:",
            *_columns(EVAL_SETTINGS, columns),
            "",
            "Flags:",
            *_columns({k: text for k, text in FLAGS.items() if k != "-m"}, columns),
            "",
            "Examples:",
            textwrap.indent(EVAL_EXAMPLES, "  "),
        ]
    )


def _groups(columns: int) -> list[str]:
    """Return each group with its choices; of long ones the first, and how to list all."""
    from nerfloss.assembly.config_groups import config_groups, default_choices

    chosen, rows = default_choices("train"), {}
    for group, choices in config_groups().items():
        marked = [f"{name}*" if chosen.get(group) == name else name for name in choices]
        if len(marked) > 24:
            marked = [*marked[:8], f"... {len(choices)} in all: nerfloss list {group}"]
        if not group.startswith("hardware/"):
            rows[group] = ", ".join(marked)
    return [*_columns(rows, columns), "  (* is the default)"]


def _columns(rows: dict[str, str], columns: int) -> list[str]:
    """Return two columns, the second wrapped."""
    first = max(map(len, rows)) + 2
    lines = []
    for name, text in rows.items():
        wrapped = textwrap.wrap(text, max(20, columns - first - 2)) or [""]
        lines.append(f"  {name:<{first}}{wrapped[0]}")
        lines += [" " * (first + 2) + line for line in wrapped[1:]]
    return lines
