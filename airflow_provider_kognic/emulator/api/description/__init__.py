"""What the API says of itself: a page, and a Swagger or OpenAPI document made of the endpoints that there are.

In come the routes of the API with their operations, and the switches in force; out go the document in one of its
forms (``document`` makes it as OpenAPI 3.0, ``forms`` turns that into others) and a page that leads to it. Kognic's
documentation says that there is such a page, and nothing of what it looks like or of what lies behind it: all of
that is an assumption, and off unless switched on.
"""
