"""The version of the client: that of the project's file VERSION, spelled as Python does."""

__version__ = "0.1.0.dev0"
