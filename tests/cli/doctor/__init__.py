"""Tests of `netplane doctor`: judging values, reading facts, and both on a node."""
