"""Who may ask: an access token, and the named environments that Kognic's own tools know.

`tokens` hands out one token for all who ask (kognic-auth, with requests as `token_requests` has them), and
`environments` reads where a named environment has its servers and credentials.
"""
