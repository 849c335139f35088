"""Data: from files and arrays of ids, checked once, to training examples on the device."""
