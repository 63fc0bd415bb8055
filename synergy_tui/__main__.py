"""python -m synergy_tui: the command without its script."""

import sys

from synergy_tui.cli import main

sys.exit(main())
