"""`python -m spnb` is the `spnb` command."""

from spnb.cli.app import main

main()
