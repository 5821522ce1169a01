"""The classes on both sides of a class mapping, and a mapping that is proposed from them.

In come a source of predictions, and what reads the annotations of a scene; out comes a `Proposal`: rows of a
`classMapping`, what is on one side only, and what was looked at. It is a proposal until somebody agrees to it.

    documents     one document: its classes, and how often each occurs
    counts        what is counted of each class, over documents, in any order the same
    predictions   every document of a source
    annotations   the documents of some annotated scenes, as far as they can be read
    names         which names are the same, which are alike
    proposal      the mapping that follows from both sides
    proposal_file written down, read again, and agreed to
    proposal_text the same for people

May import `validation` and what that may. It knows no API: annotations are read by whoever has one.
"""
