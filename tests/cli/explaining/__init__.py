"""`netplane explain` of files, pods, namespaces and addresses."""
