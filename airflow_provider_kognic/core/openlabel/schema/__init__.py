"""The schema of a document: OpenLABEL 1.0.0 as kognic-openlabel 2.2 reads it, narrowed by Kognic's rules.

In comes JSON, or the values that it is made of; out come its types, or every violation of them. msgspec decodes and
checks a document by these types at once, which is what `accept` does; `violations` walks the same types over a
document that breaks them, for `explain`. `Meta.extra` says which rule is broken where it is not one of the schema's
own: `rule` for a value, `missing` for a key that is not there.

What is narrower than kognic-openlabel, which turns text into numbers and numbers into truth where it can: types are
taken at their word. What is not checked there is not checked here either: keys that it allows, `stream_properties`,
relations of frames. `null` stands for a key that is left out, as kognic-openlabel itself writes it.

The types (`document`, made of `elements`, `geometry`, `attributes`, `sensors` and `base`) import msgspec and
`rules`; `violations` imports `issues` and `decoding.strict_json`, too. All of it is slow to import, so nothing but
`accept` and `explain` does, which are imported where they are used.
"""
