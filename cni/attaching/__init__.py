"""Attach a sandbox to its networks as planned, and tear the attachments down."""
