"""Models: their host process, its clients, and where weights are kept."""
