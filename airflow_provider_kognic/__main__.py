"""``python -m airflow_provider_kognic``: see ``cli``."""

import sys

from airflow_provider_kognic.cli import main

sys.exit(main())
