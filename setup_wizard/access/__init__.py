"""One file a way to reach a session."""
