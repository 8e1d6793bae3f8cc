"""``nerfloss bench``: measure the cost of each loss term on this machine."""

import argparse
import os

from nerfloss.cli.output import add_format, write_tables

SUMMARY = "measure the time and memory of each loss term on this machine"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser("bench", help=SUMMARY, description=SUMMARY.capitalize() + ".")
    command.add_argument("what", choices=["terms"])
    command.add_argument("names", nargs="*", help="which terms (default: all of them)")
    sizes = {"rays": 4096, "samples": 16, "patches": 4, "height": 32, "width": 32, "points": 1024}
    for axis, size in sizes.items():
        command.add_argument(f"--{axis}", type=int, default=size, help=f"default: {size}")
    add_format(command)
    command.set_defaults(run=run, axes=tuple(sizes))


def run(options: argparse.Namespace) -> int:
    """Measure and print. Raises ValueError for sizes below 1 and unknown terms."""
    # The memory profiler of torch reports its start and stop on stderr.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    from nerfloss.assembly.config_files import conf_dir
    from nerfloss.cli.reference.profiling import cost_table

    sizes = {axis: getattr(options, axis) for axis in options.axes}
    for axis, size in sizes.items():
        if size < 1:
            raise ValueError(f"--{axis} must be at least 1, got {size}")
    write_tables([cost_table(conf_dir(), options.names, sizes)], options.format)
    return 0
