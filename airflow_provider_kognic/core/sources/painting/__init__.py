"""From what formats with masks keep of them to the bitmap of a camera and frame.

    canvases  the size of a mask against that of its image; the PNG that stands in a document
    pictures  masks that are PNG files: read to know what is in them, and again when they are painted

Pixels are in memory only while one document is written.
"""
