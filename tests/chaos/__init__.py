"""Address books of many nodes under kills and faults, a million allocations: `make chaos`."""
