"""Every compared method, on two tasks and with two kinds of black box."""
