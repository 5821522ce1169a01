"""Boxes, cuboids and masks to and from each convention; pure: numbers and bytes in, numbers and bytes out."""
