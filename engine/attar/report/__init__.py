"""Reports: what is read out of results, for people and for programs."""
