"""``python -m tvface``."""

import sys

from tvface.cli import main

sys.exit(main())
