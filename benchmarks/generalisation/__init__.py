"""What a training was not shown."""
