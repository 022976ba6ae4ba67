"""`netplane completion`, and the scripts that it prints, one for each shell.

Invariant: the scripts are made from the table of commands by `scripts/command-documents`, never by
hand; the program only prints them, and needs nothing of what makes them.
"""
