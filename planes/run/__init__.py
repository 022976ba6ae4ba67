"""Process plumbing: settings, logs, metrics, clocks, locks, supervision of tasks.

May hold: what any long-running program of ours needs. May not hold: knowledge of planes, CNI,
admission or Kubernetes.
"""
