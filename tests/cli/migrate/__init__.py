"""Tests of `netplane migrate`."""
