"""The Kubernetes adapter, and the only importer of kubernetes_asyncio.

It implements `planes.store.protocol` over the API server. Standalone mode never imports it.
`api` is the seam all of it is written against; `access.connect` gives the `Client` behind it,
and a `Watching` keeps a `Follower` true to what the server has. Objects are raw JSON throughout.
"""
