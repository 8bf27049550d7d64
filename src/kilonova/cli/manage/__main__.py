"""``python -m kilonova.cli.manage``."""

import sys

from kilonova.cli.manage.program import main

sys.exit(main())
