"""Import the modules of a run, with the garbage collector paused meanwhile."""

import gc


def import_run_modules() -> None:
    """Import torch and what assembles a run, where that has not been done.

    The collector would search the modules for garbage again and again, a fifth of the time of
    importing them. It is on afterwards, if it was before.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        import nerfloss.assembly.build  # noqa: F401
    finally:
        if enabled:
            gc.enable()
