"""``python -m tvface``."""

import sys

from tvface.cli.main import main

sys.exit(main())
