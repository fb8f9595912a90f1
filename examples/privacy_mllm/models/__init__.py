"""The networks of the application."""
