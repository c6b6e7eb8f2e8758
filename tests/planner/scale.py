"""How many days at random the laws are put to; more by the environment."""

from __future__ import annotations

import os

EXAMPLES = int(os.environ.get("IOTISTIC_LAW_EXAMPLES", "15"))
LONG_EXAMPLES = int(os.environ.get("IOTISTIC_LONG_LAW_EXAMPLES", "2000"))
