"""Recommendations without training: exports."""
