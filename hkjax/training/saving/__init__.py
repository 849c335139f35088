"""The work directory: lock, configuration, checkpoints and recovery."""
