"""Devices of pods: what the kubelet allocated, and files with information about them."""
