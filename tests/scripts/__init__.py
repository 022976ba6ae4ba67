"""The scripts beside the code, with stand-ins for what they call."""
