"""Faults and growth: what fails for a while, comes back elsewhere, or becomes a hundred times as much."""
