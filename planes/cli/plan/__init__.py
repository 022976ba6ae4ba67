"""`netplane plan`: network plans of people, as planes of a cluster and back.

`commands` are the subcommands and what they print, `plan_files` reads the plan and the manifests
beside it, `place_planes` reads planes and labels where they are. What a plan means is decided in
`planes.model.plan`.
"""
