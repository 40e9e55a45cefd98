"""Readers: files from outside become tables that pass `data.schemas`."""
