"""Command line of the world: `python -m bench.world produce | write | truth | faults`."""

import sys

from bench.world.command_line import main

sys.exit(main())
