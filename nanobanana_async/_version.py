"""The version, for the package, its metadata and the User-Agent."""

__all__ = ["__version__"]

__version__ = "0.1.0"
"""The version of this package."""
