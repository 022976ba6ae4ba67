"""What an attack costs everybody else, measured: `python -m tests.attacks`.

Each module measures one row of the table in docs/security.md and gives `Figure` values.
"""
