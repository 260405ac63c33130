"""`python -m minidecay` is the command `minidecay`."""

import sys

from minidecay.cli import main

if __name__ == "__main__":
    sys.exit(main())
