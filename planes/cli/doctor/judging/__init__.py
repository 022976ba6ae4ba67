"""Judgements over facts, a module for each check: no I/O, no clock."""
