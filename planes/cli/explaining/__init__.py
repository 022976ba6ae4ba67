"""What `netplane explain` says: of files, of a pod, of a namespace, of an address.

`items` has what each answer consists of; `files` judges manifests that are not applied yet;
`live_pod`, `live_namespace` and `one_address` read what is there, and `pod_start` says why a pod
does not start. They print nothing but by the console that they get.
"""
