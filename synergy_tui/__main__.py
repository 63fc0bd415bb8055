"""The command: python -m synergy_tui; the installed script calls `main`."""

import signal
import sys

# Ctrl-C while the libraries load ends the program without a traceback, as it ends other programs.
_BEFORE = signal.signal(signal.SIGINT, signal.SIG_DFL)

from synergy_tui.cli import main as commands  # noqa: E402


def main() -> int:
    """Runs the command; returns its exit code."""
    signal.signal(signal.SIGINT, _BEFORE)
    return commands()


if __name__ == "__main__":
    sys.exit(main())
