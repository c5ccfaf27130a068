"""``python -m lab.cli`` is ``drywet``."""

from lab.cli.main import main

main()
