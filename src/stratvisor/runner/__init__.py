"""Where strategies run: implementations of `ports.Runner`."""
