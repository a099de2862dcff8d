"""``python -m qfleet_agent`` is ``qfleet-agent``."""

import sys

from qfleet_agent.command import main

sys.exit(main())
