"""Netplane's tests; `tests/house` holds the rules every file keeps."""
