"""Network plans: the files in which people keep their networks, as planes and back.

A plan names networks. `network` turns one into a Plane manifest, `network_plan` a whole plan, with
everything that contradicts itself or is missing; `writing` turns planes into a plan. The checks are
those of planes (`planes.model.spec`, `planes.model.state`); what only a plan can have wrong is
added here. A word of a plan is another name for a field of the Plane API (`words`).
"""
