"""The CNI conf dir: the default network's config, our own conflist, and Multus' files."""
