"""The command: python -m synergy_tui, and what its script calls."""

import signal
import sys

# Ctrl-C while the libraries are loaded ends the program, as it ends others, without a traceback.
_BEFORE = signal.signal(signal.SIGINT, signal.SIG_DFL)

from synergy_tui.cli import main as commands  # noqa: E402


def main() -> int:
    """Runs the command; returns its exit code."""
    signal.signal(signal.SIGINT, _BEFORE)
    return commands()


if __name__ == "__main__":
    sys.exit(main())
