"""Readers of files and tables in every layout: each returns one Content."""
