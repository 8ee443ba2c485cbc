"""`python -m snowcave`."""

from snowcave.cli.main import main

main()
