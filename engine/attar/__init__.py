"""attar: synthetic datasets you can trust."""

__version__ = "0.1.0"
LANGUAGE_VERSION = 1
