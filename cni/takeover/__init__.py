"""What a node had before us: sandboxes of Multus and of others, and Multus' settings."""
