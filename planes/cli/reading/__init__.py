"""Where commands read: a cluster, or a directory of manifests, by one interface.

`place` chooses by the options and runs a command's work there. `directory_api` answers reads out of
manifests and a state directory, so that a command is written once. `address_use` gathers who has
which address of a plane, `address_roles` says what an address is there, `near_addresses` which are
free. `decision_state` reads what decides about pods, `events` what happened,
`plane_conditions` what the leader says of a plane.
"""
