"""Process plumbing: settings, logs, metrics, locks, supervision."""
