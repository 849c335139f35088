"""The training loop, on one device or on a mesh of them."""
