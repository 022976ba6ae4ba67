"""The node runtime on fakes: scripted plugins and a kernel in memory."""
