#!/bin/bash
# First process of a cluster: boot-cluster.sh READY. The segments of the nodes are bridges here.
set -eu
ip link set lo up
for segment in mgmt biz sto; do
  ip link add "$segment" type bridge
  ip link set "$segment" up
done
ip addr add 172.30.0.1/24 dev mgmt
touch "$1"
while :; do sleep infinity & wait $!; done
