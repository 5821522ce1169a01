"""Masks to and from what models and datasets write them as, and the one bitmap of a camera and frame.

    rle         COCO's run-length encoding
    polygons    COCO's polygons
    id_images   PNG of the ids of classes, instances or segments
    cityscapes  the classes of Cityscapes, by either of their numbers
    bitmaps     instances painted over each other, as Kognic takes them
    png         reading no picture that is too large, and writing the same bytes each time

What is wrong is a KognicInputError that names the value; who reads a file adds where it stood. No numpy is needed.
"""
