"""`netplane dump`: an archive for a bug report, without anything that is secret or of others.

May hold: what is read, how it is shortened and redacted, the archive. May not hold: decisions.
"""
