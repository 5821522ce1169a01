"""The page for people: what the emulator holds, and one prediction drawn to scale.

In come requests of a browser; out goes HTML of ``templates`` with the style and the script in ``static``. It
changes nothing. May import ``state``, ``storage`` and ``errors``, and what draws documents for the command line,
too: ``drawing``, beside the emulator. Jinja is known here alone.
"""
