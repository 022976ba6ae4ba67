"""The parts a real cluster on this machine is made of."""
