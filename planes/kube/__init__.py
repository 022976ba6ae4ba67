"""The Kubernetes adapter, and the only importer of kubernetes_asyncio.

It implements `planes.store.protocol` over the API server. Standalone mode never imports it.
All of it is written against the Protocol in `api`; `client.access.connect` returns the `Client`
that implements it. An `Informer` lists and watches a kind for its handlers. Objects are raw JSON.
"""
