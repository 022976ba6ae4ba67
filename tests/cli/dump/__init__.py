"""Tests of `netplane dump`."""
