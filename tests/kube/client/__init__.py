"""The client over real TLS: access, credentials, requests and streams."""
