"""How near black-box training comes to the bound that knows the black box's gradient, at matched leakage."""
