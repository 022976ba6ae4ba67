#!/bin/bash
# First process of a node: boot-node.sh DIR NAME BIN READY.
# The node has the programs of this machine, but an /etc, /opt, /var/lib, /var/log and /run of its own.
set -eu
dir=$1 name=$2 bin=$3 ready=$4
hostname "$name"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
mount --rbind /sys/fs/cgroup "$dir/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$dir/cgroup" /sys/fs/cgroup
# Namespaces of the machine would come and go in the mounts of the node, even below its own /run.
umount --recursive --lazy /run/netns 2>/dev/null || true
mount -t tmpfs tmpfs /run
mkdir -p /run/lab /run/netns /run/lock
mount --bind "$bin" /run/lab
for place in etc opt var-lib var-log; do
  mount --bind "$dir/$place" "/${place/-//}"
done
mount --make-rshared /
touch "$ready"
while :; do sleep infinity & wait $!; done
