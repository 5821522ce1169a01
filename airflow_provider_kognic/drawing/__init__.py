"""Drawing an OpenLABEL document: images with their boxes, bitmaps and lines, and the cuboids from above.

In come a document's bytes and, where there are some, pictures and points; out goes HTML with SVG, which needs no
script. The emulator's page and the command `preview` draw with it, so it imports nothing of the rest. A document is
anybody's text: whatever it holds is drawn, left out and counted, or said to be odd; all of it is escaped, and what
is drawn of it is bounded.

    document  what of a document can be drawn, read leniently
    frames    a frame: a figure for each camera, one from above, the legend, the list of its objects
    camera    an image and what stands on it
    above     cuboids from above, their fronts marked
    bitmaps   grey levels in their classes' colours
    solids    where a cuboid's corners and its front are
    colours   the colour of a class, the same everywhere
    markup    text and numbers as HTML may have them
"""
