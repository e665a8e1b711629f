"""Run the command line as ``python -m stsearch``."""

from stsearch.cli.app import main

if __name__ == "__main__":
    main()
