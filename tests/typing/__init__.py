"""What type checkers make of uses of the public names."""
