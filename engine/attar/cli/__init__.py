"""The command line. One file per verb; importing this room imports click and nothing else of weight."""

from attar.cli.entry import cli, main

__all__ = ["cli", "main"]
