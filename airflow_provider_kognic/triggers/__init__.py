"""Triggers of the deferrable sensors. None of them ever makes a POST."""
