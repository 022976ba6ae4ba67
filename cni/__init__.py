"""The node runtime: serves the shim, attaches sandboxes to planes, undoes what failed.

`server` speaks to the shim, `runtime` carries out verbs, `chain` runs conflists through native
plugins (`cni.native`, kernel work in `cni.net`) or binaries (`delegate`), `journal` remembers.
May not hold: admission. It never imports `webhook`; they meet in annotations and the store.
"""
