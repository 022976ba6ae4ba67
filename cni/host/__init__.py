"""The node's operating system: processes, chroot, exec, listening sockets, the state lock."""
