"""`python -m tasuki` is the command `tasuki`."""

from tasuki.cli import main

main()
