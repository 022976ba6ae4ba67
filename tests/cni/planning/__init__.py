"""Planning an ADD: pods, interface names, wires, masters and plane health."""
