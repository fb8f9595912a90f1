"""Black boxes that answer questions about clips."""
