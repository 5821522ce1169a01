"""What runs in a process of its own, so that it can be timed: each prints its figures as a line of JSON."""
