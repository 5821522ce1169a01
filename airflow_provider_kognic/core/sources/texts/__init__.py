"""What formats of lines and columns have in common."""
