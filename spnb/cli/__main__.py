"""`python -m spnb.cli` is the `spnb` command."""

from spnb.cli.app import main

main()
