"""The entry point of `reelseek`. Its imports take half a second, and Ctrl-C must end them without a traceback, too."""

from collections.abc import Callable


def import_command_line() -> Callable[[], None]:
    """Import the command line and return the function that runs it."""
    from bots.main import main

    return main


def run(load: Callable[[], Callable[[], None]] = import_command_line) -> None:
    """Import the command line and run it. Exits with status 130 after Ctrl-C during the imports."""
    try:
        run_command_line = load()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run_command_line()


if __name__ == "__main__":
    run()
