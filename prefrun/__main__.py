"""`python -m prefrun` is `prefrun`."""

import sys

from prefrun.cli import main

sys.exit(main())
