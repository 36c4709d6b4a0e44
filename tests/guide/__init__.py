"""The guide and the reference: built with warnings as errors, and every block of code in them is run."""
