"""Whether predictions may be sent, and what their class mapping has to name; nothing is sent here.

In come documents, one at a time (`documents`, for an upload) or a source of them (`offline` for the command
line, `class_survey` for a group's mapping), and what the dataset and the group say: `scenes` and
`class_coverage`, which `dataset` puts together; `scene_check` holds them against what the input API says of
their scenes; `class_mapping` brings a mapping into the API's form. Out come refusals with their reason,
warnings in the log, classes, and reports (`offline_report`).

It imports `openlabel` for the rules, `scenes` for the facts, `sources` to go through what is to be checked, and
of the core `options`, `models`, `reasons`, `values`, `retries` and `errors`. What the API lists is described by
protocols, so it knows no client. `upload`, the operators and the command line use it; it uses none of them.
"""
