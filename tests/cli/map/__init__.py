"""Tests of `netplane map`: its layout, its forms, and what hostile objects make of it."""
