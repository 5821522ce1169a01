"""What goes wrong, and the gate that lets it.

In come the settings (as people write them: ``Settings``), and every request of the API before and after it is
carried out; out goes its answer, another one, or none. Knows nothing of how the API is written: the
application, the tokens, the counters and what a person does are handed to the gate. May import ``stats`` and
``errors``, and of ``storage`` the choices that a setting names.
"""
