"""python -m neurito."""

import sys

from neurito.cli import main

sys.exit(main())
