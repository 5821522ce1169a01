"""What is assumed of tokens and rights."""

from __future__ import annotations

from airflow_provider_kognic.core.contract.assumed import sources
from airflow_provider_kognic.core.contract.assumed.assumption import Asked, Assumption

ACCESS = (
    Assumption(
        "token_endpoint",
        "The auth server gives tokens for client credentials (OAuth 2.0) at /v1/auth/oauth/token.",
        ("core/api",),
        "No token is to be had, and nothing works: set auth_host, or ask for a newer version of this provider.",
        f"{sources.AUTH}: auth server and path",
        (Asked.TOKEN, Asked.DESCRIPTION),
    ),
    Assumption(
        "token_lifetime",
        "The answer with a token says how long it is valid (expires_in).",
        ("core/api",),
        "A token is used until the API answers 401, and the request is then made again with a new one.",
        f"{sources.AUTH}: its clients; RFC 6749 only recommends it",
        (Asked.TOKEN,),
    ),
    Assumption(
        "bearer_token",
        "The dataset API takes the token as Authorization: Bearer, and nothing else.",
        ("core/api/exchange/heads.py",),
        "Every call is refused with 401.",
        f"{sources.AUTH}: its clients",
        (Asked.DESCRIPTION, Asked.GET),
    ),
    Assumption(
        "token_scopes",
        "Calls that read need the scope api:read at most, and those that write api:write.",
        ("core/api",),
        "A call is refused with 403, and the error names the scope where the answer does.",
        f"{sources.AUTH}: env_config.py names the two; which call needs which is our own assumption",
        (Asked.DESCRIPTION,),
    ),
    Assumption(
        "refused_tokens",
        "A token that does not hold is answered with 401, one that may not do something with 403.",
        ("core/api/answers.py", "core/retries.py"),
        "The error says something else than what to mend; a token that has expired is not renewed at once.",
        f"{sources.AUTH}: its clients renew after 401",
        (Asked.DESCRIPTION,),
    ),
)
