"""The classes on both sides of a class mapping, and a mapping that is proposed from them.

In come a source of predictions, and what reads the annotations of a scene; out comes a `Proposal`: rows of a
`classMapping`, what is on one side only, and what was looked at. It is a proposal until somebody agrees to it.

    survey           both sides, and what follows from them
    predictions      every document of a source
    annotations      the documents of some annotated scenes, as far as they can be read
    documents        one document: its classes, and how often each occurs
    counts           what is counted of each class, in any order the same
    names            which names are the same, and which are alike
    proposal         the mapping that follows from the names of both sides
    proposal_file    the same as JSON, for people to edit; read again with every doubt said
    proposal_text    the same for people to look at
    proposal_store   the file, which is not written over once somebody has edited it
    arguments        what people say of all this
    agreement        whether somebody has agreed to it, and whether it still holds

May import `validation` and what that may. It knows no API: annotations are read by whoever has one.
"""
