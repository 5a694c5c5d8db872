"""A project of its own; `test_application.py` runs its tests."""
