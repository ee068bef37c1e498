"""From a persona table to a release: labels, caps, and the files that others read."""
