"""The work of `netplane ip show`, `who`, `free`, and of `check` and `release` by a report.

Commands are thin: they read by `planes.cli.reading`, and print. What is counted, said of an address
or released is decided here. Nothing is guessed: a number that nobody knows is None.
"""
