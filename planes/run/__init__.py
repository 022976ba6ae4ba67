"""What every long-running program of ours needs, and the one mechanism for each such need.

Settings, logs, metrics, health, a clock, supervision of services; backoff, files that are replaced
at once, locks between processes and inside one, shielded work, threads, rate limits, fair shares.
May hold: what knows nothing of its user. May not hold: knowledge of planes, CNI, admission or
Kubernetes, but for the table of settings that the webhook and the daemon share (`nad_settings`).
"""
