"""An OpenID Connect provider, as small as the standard allows, on a port of this machine. It can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Form, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.lab.service.serving import served

CLIENT = "drywet-of-the-lab"
SECRET = "s3cret/of+the:client"


@dataclass
class OidcProvider:
    """What it says, and what it was asked.

    Args:
        claims: of whoever is logged in there; None for nobody.
        spoil: changes claims of an identity token before it is signed.
        encode: signs it; for tokens that are signed wrongly.
        token_says: the answer of its token endpoint, in place of a right one.
        only_userinfo: claims that are in the user info and not in the token.
    """

    issuer: str = ""
    claims: dict[str, Any] | None = None
    spoil: Callable[[dict[str, Any]], None] = lambda claims: None
    encode: Callable[[dict[str, Any]], str] | None = None
    only_userinfo: tuple[str, ...] = ()
    userinfo_sub: str = ""
    issuer_said: str = ""
    public: bool = False
    token_says: Response | None = None
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True))
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)

    def sign(self, claims: dict[str, Any]) -> str:
        """An identity token as it should be."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def id_token(self, asked: dict[str, str]) -> str:
        assert self.claims is not None
        moment = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": moment,
            "exp": moment + 300,
            "nonce": asked["nonce"],
            **{name: value for name, value in self.claims.items() if name not in self.only_userinfo},
        }
        self.spoil(claims)
        return (self.encode or self.sign)(claims)


def _app(provider: OidcProvider) -> FastAPI:
    app = FastAPI()

    @app.get("/.well-known/openid-configuration")
    async def discovery() -> dict[str, Any]:
        provider.asked.append(("discovery", {}))
        issuer = provider.issuer
        return {
            "issuer": provider.issuer_said or issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    @app.get("/keys")
    async def keys() -> Any:
        return KeySet([provider.key]).as_dict(private=False)

    @app.get("/authorize")
    async def authorize(request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        provider.asked.append(("authorize", asked))
        back = asked["redirect_uri"]
        if provider.claims is None:
            answer = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe()
            provider.codes[code] = asked
            answer = {"code": code, "state": asked["state"]}
        return RedirectResponse(f"{back}?{urlencode(answer)}", status_code=302)

    @app.post("/token")
    async def token(
        code: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        grant_type: Annotated[str, Form()],
        client_id: Annotated[str, Form()] = "",
        authorization: Annotated[str, Header()] = "",
    ) -> Response:
        if provider.token_says is not None:
            return provider.token_says
        asked = provider.codes.pop(code, None)
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = client_id == CLIENT if provider.public else authorization == f"Basic {basic}"
        if (
            asked is None
            or not known
            or grant_type != "authorization_code"
            or asked["code_challenge_method"] != "S256"
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != redirect_uri
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        access = secrets.token_urlsafe()
        provider.access.add(access)
        return JSONResponse(
            {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": 60,
                "id_token": provider.id_token(asked),
            }
        )

    @app.get("/userinfo")
    async def userinfo(authorization: Annotated[str, Header()] = "") -> JSONResponse:
        provider.asked.append(("userinfo", {}))
        if authorization.removeprefix("Bearer ") not in provider.access or provider.claims is None:
            return JSONResponse({"error": "invalid_token"}, status_code=401)
        return JSONResponse({**provider.claims, "sub": provider.userinfo_sub or provider.claims["sub"]})

    return app


@contextmanager
def running_provider() -> Iterator[OidcProvider]:
    """On a free port."""
    provider = OidcProvider()
    with served(_app(provider)) as address:
        provider.issuer = address
        yield provider
