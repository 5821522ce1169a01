"""Looking before sending: one page with the counts, what a person would check, and some documents drawn.

In comes a source; out goes one HTML file that needs nothing else and no script.

    survey    every document looked at once: what is in it by class, what is odd, and which ones are to be drawn
    statistics  what is gathered of a class, in flat memory
    sampled   a source whose documents are surveyed while somebody else reads them
    page      the survey and the drawings as a page
    beside_report  the page of a dry run, beside its report
    beside    images and points that lie beside a model's results, by the keys that people have
    keys      what the table of scenes calls a frame

Its documents are drawn by `drawing`, which the emulator's page has in common with it.
"""
