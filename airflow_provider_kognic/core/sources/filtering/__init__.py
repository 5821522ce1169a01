"""Leaving out what is not wanted: of a model's rows, and of OpenLABEL documents."""
