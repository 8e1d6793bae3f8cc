"""``nerfloss view``: a trained model, live in a browser."""

import argparse
from pathlib import Path

SUMMARY = "show a trained model live in a browser"
EPILOG = """\
examples:
  nerfloss view outputs/analytic/neus_eikonal/RUN
  nerfloss view outputs/analytic/neus_eikonal/RUN --port 7008

Needs the extra 'viewer'. The viewer answers browsers of this machine only. From another machine:
ssh -L 7007:localhost:7007 THIS_MACHINE, and open http://localhost:7007 there. With --host 0.0.0.0
other machines reach it, with a token that is part of the address. During a training: viewer=on.
If the data has moved: dataset.path=FOLDER."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command and its options."""
    command = commands.add_parser(
        "view",
        help=SUMMARY,
        usage="nerfloss view RUN [options] [dataset.SETTING=VALUE ...]",
        description=SUMMARY[0].upper() + SUMMARY[1:] + ".",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path_of_run", metavar="RUN", type=Path, help="the folder of a run")
    command.add_argument("--port", type=int, default=7007, help="default: 7007; 0: a free one")
    command.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine")
    command.add_argument(
        "--token", help="that every browser must know (default: made anew where --host needs one)"
    )
    command.add_argument("--device", default="auto", help="default: auto")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Raises the errors of `view_run`."""
    from nerfloss.assembly.export.opened_run import OpenedRun
    from nerfloss.assembly.viewer.view_run import view_run
    from nerfloss.assembly.viewer.viewer_address import ViewerAddress

    address = ViewerAddress(options.host, options.port, options.token)
    opened = OpenedRun(options.path_of_run.expanduser(), options.device, options.settings)
    view_run(opened, address, lambda line: print(line, flush=True))
    return 0
