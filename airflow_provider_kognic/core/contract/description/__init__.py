"""The service's description of itself: found by its page, and read in any version of Swagger or OpenAPI.

`page` takes a page or script apart and says where it leads; `searching` follows that, on the API's own host only.
`document` reads what was found, into `operations`, whose bodies and answers are `shapes`. A description is not
checked: what cannot be understood of it is unknown, and whatever it is made of, reading it ends soon.

It is read here and by no library: prance and openapi-core read no OpenAPI 3.1 together with Swagger 2, and
openapi-pydantic no Swagger at all; each refuses a document that is not quite valid, where a part of it will do.
"""
