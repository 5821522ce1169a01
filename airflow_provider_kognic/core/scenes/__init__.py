"""What a scene is, and what it is called: asked of the input API, at most once each, and remembered.

`facts` is what is known of a scene. `known` has the facts of the scenes that are asked for, one request for each of
them and for each calibration however many ask at once; `asking` asks, with patience, and stops asking where nobody
answers or nobody may ask; `cache` keeps the facts across tries. `names` finds scenes by their external ids, in
batches, and keeps what it found: a retry finds the same scene.

All of it waits, in the threads that read documents. It imports of the core `files`, `stores` and what lies below
them; what asks the API is a protocol.
"""
