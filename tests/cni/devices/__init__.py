"""What the kubelet allocated, and device information files."""
