"""The native types, one file each."""
