"""Run CNI configurations: chains of plugins, native or by exec."""
