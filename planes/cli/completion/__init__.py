"""`netplane completion`, and the scripts that it prints, one for each shell.

Invariant: the scripts are made from the table of commands by `scripts/completion-scripts`, never by
hand; the program only prints them, and needs nothing of what makes them.
"""
