"""`python main.py …`, the same as the installed command `amsdf …`."""

import sys

from amsdf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
