"""What makes a finished run something to hand on: its card and the checksums of its files."""
