"""A virtual population: persons drawn from a table of shares, each one a pure function of a seed and its number."""
