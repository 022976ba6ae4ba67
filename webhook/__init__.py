"""Admission: reads an AdmissionReview and answers it with a verdict or a patch, over TLS.

Decisions come from `planes.model`; this package parses reviews, answers them, and keeps the
listener within its limits; `webhook.controller` runs on the leader. It never imports `cni`.
"""
