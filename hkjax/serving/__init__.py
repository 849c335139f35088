"""Serving of trained models: recommendations, reasons, exports."""
