"""The optional packages of the command line, and what to say where one is missing."""

from importlib import import_module
from typing import Final

_PACKAGES: Final = {"click": "click", "rich": "rich", "PIL": "Pillow", "filelock": "filelock"}
_INSTALL: Final = "pip install 'nanobanana-async[cli,emulator]'"


def require(*modules: str) -> None:
    """Raise ModuleNotFoundError now, where it would otherwise come in the middle of the work."""
    for module in modules:
        import_module(module)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return the line that says what to install; None where no extra is to blame."""
    package = _PACKAGES.get((error.name or "").partition(".")[0])
    return f"nanobanana needs {package}. Install it with: {_INSTALL}" if package else None
