"""Shared by all tests. With ``tests/__init__.py`` it also puts the project root on the path: ``tests.reference``."""
