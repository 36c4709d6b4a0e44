"""Tools of the house that users do not need."""
