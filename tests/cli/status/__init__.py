"""`netplane status`: what is seen, what of it is a fault, and waiting until there is none."""
