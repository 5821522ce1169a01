"""The page for people: what the emulator holds, and one prediction drawn to scale."""

from fastapi import FastAPI


def mount(app: FastAPI) -> None:
    """Add the page to an application."""
    del app
