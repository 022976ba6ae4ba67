"""What commands read, on a cluster and on one machine."""
