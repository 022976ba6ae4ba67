"""Admission: AdmissionReview in, verdict and patch out, over TLS.

Decisions come from `planes.model`; this package parses reviews, answers them, and keeps the
listener within its limits. It never imports `cni`.
"""
