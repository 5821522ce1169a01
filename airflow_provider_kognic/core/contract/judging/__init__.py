"""What a description says of each assumption.

Each file judges the part of the list that the file of its name in `..assumed` has. A judge is a function from what
was described to a judgement; `verdicts` has what they share. None quotes the description: of what came from outside
only what is a word of ours, a number or a status is repeated.
"""
