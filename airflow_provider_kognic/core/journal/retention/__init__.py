"""What becomes of a journal that nobody has used for long: fewer files, and then a word that it was here.

    compacted   what it says of each scene, in as few lines and files as that takes; nothing is forgotten
    removed     nothing but a mark: a later upload into the group stops, and says what was removed, and when

`marks` is how both are written in a part's header, and `removed` what an upload does that finds a removed one:
these two are what `core.journal.folder` knows of retention. `survey` finds the journals beneath a folder and reads
them, `compaction` says what is kept of one, and `cleaning` does it.
"""
