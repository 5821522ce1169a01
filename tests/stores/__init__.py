"""Object stores as users have them: their own servers, their own libraries, and faults on the way between."""
