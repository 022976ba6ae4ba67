"""The shim binary against a real socket."""
