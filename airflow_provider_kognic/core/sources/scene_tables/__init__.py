"""Making the table of scenes from what people have: a data set's own tables, poses and calibrations.

In come a data set's files, and the scenes in Kognic by their names; out goes a file that `converting` reads as its
table of scenes, with a `transform` in every row whose format needs one.

    table     what a row is, writing the table, reading the names of scenes
    kitti     rows of KITTI's calibrations
    nuscenes  rows of nuScenes' tables
"""
