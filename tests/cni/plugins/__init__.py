"""Running plugins: conflists, binaries, their turns, and causes of their errors."""
