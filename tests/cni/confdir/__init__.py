"""The CNI conf dir: the default network, our own file, and Multus' files."""
