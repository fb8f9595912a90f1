"""The critical history, part by part."""
