"""The Kubernetes adapter, and the only importer of kubernetes_asyncio.

It implements `planes.store.protocol` over the API server. Standalone mode never imports it.
"""
