"""The training loop, on one device or a mesh of devices."""
