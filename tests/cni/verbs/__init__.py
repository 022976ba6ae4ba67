"""The CNI verbs on fakes, and Multus' /delegate."""
