"""Leader election by a Lease, and an API through which only the leader can write."""
