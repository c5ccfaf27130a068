"""Speaks with an OpenID Connect provider: finds its endpoints and keys, sends people there, and learns who came back.

Code flow with PKCE; the identity token must be signed with a key that the provider publishes, for this service, and for the
login that was begun here. None of the provider's tokens is kept or passed on.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]  # stubs lag behind
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]  # stubs lag behind
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from lab.errors import BadInput
from lab.service.errors import Refusal
from lab.service.login_rules import Provider

__all__ = ["ProviderClient", "Visitor"]

_TIMEOUT_S = 10.0
_KNOWN_S = 3600.0
"""How long endpoints and keys are taken to be as they were."""
_LEEWAY_S = 60
"""By which two computers' clocks may differ."""
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with a key that only the provider has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody whom the provider knows.

    Args:
        subject: ``ISSUER#SUBJECT``, theirs for good.
        name: what they may be called here; as the provider says it.
        groups: that they belong to there.
    """

    subject: str
    name: str
    full_name: str
    email: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a provider publishes of itself."""

    authorization: str
    token: str
    userinfo: str
    keys: KeySet
    algorithms: tuple[str, ...]
    by_post: bool
    at_s: float


class ProviderClient:
    """Of one provider. Any thread; its requests take the caller's time.

    Args:
        provider: as the lab's settings say.
        clock: seconds, monotonic.

    Raises:
        BadInput: its address, or that of the way back, is not one to send secrets to.
    """

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        for address, field in ((provider.issuer, "issuer"), (provider.callback, "callback")):
            if not _is_safe(address):
                raise BadInput(
                    f"{address!r} is not encrypted.",
                    way_out="Give an address that begins with https://",
                    field=field,
                )
        self._provider = provider
        self._clock = clock
        self._turn = threading.Lock()
        self._known: _Known | None = None

    @property
    def provider(self) -> Provider:
        """As the lab's settings say."""
        return self._provider

    def address(self, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to log in.

        Raises:
            Refusal: 503; the provider does not answer, or not as one.
        """
        known = self._look()
        with self._session(known) as session:
            address, _ = session.create_authorization_url(
                known.authorization, state=state, nonce=nonce, code_verifier=verifier
            )
        return str(address)

    def visitor(self, code: str, nonce: str, verifier: str) -> Visitor:
        """Who came back with a code.

        Raises:
            Refusal: 403, the provider does not stand for them; 503, it does not answer.
        """
        known = self._look()
        try:
            with self._session(known) as session:
                tokens = session.fetch_token(
                    known.token, code=code, code_verifier=verifier, grant_type="authorization_code"
                )
                claims = self._claims(str(tokens.get("id_token", "")), nonce, known)
                claims = self._with_userinfo(session, known, claims)
        except OAuthError as error:
            raise _not_vouched("The provider does not take the code back") from error
        except (httpx2.HTTPError, ValueError) as error:
            raise _unreachable(self._provider) from error
        return self._visitor(claims)

    def _session(self, known: _Known) -> OAuth2Client:
        secret = self._provider.client_secret
        method = ("client_secret_post" if known.by_post else "client_secret_basic") if secret else "none"
        return OAuth2Client(
            client_id=self._provider.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method=method,
            scope=" ".join(self._provider.scopes),
            redirect_uri=self._provider.callback,
            code_challenge_method="S256",
            timeout=_TIMEOUT_S,
            leeway=0,  # the provider's access token is used at once, however short it lives
        )

    def _look(self, *, afresh: bool = False) -> _Known:
        """What the provider publishes; asked for once an hour, and when a key is missing."""
        with self._turn:
            known = self._known
            if known is not None and not afresh and self._clock() - known.at_s < _KNOWN_S:
                return known
            try:
                self._known = self._ask()
            except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise _unreachable(self._provider) from error
            return self._known

    def _ask(self) -> _Known:
        issuer = self._provider.issuer
        with httpx2.Client(timeout=_TIMEOUT_S) as client:
            says = client.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            published: dict[str, Any] = says.raise_for_status().json()
            if published["issuer"] != issuer:
                raise ValueError(f"it calls itself {published['issuer']!r}")
            endpoints = {
                name: str(published.get(f"{name}_endpoint", ""))
                for name in ("authorization", "token", "userinfo")
            }
            for name in ("authorization", "token"):
                if not _is_safe(endpoints[name]):
                    raise ValueError(f"its endpoint {name} is not encrypted")
            if not _is_safe(str(published["jwks_uri"])):
                raise ValueError("its keys do not come encrypted")
            keys = KeySet.import_key_set(client.get(str(published["jwks_uri"])).raise_for_status().json())
        offered = published.get("id_token_signing_alg_values_supported", ["RS256"])
        methods = published.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return _Known(
            authorization=endpoints["authorization"],
            token=endpoints["token"],
            userinfo=endpoints["userinfo"] if _is_safe(endpoints["userinfo"]) else "",
            keys=keys,
            algorithms=tuple(one for one in _ALGORITHMS if one in offered),
            by_post="client_secret_basic" not in methods and "client_secret_post" in methods,
            at_s=self._clock(),
        )

    def _claims(self, id_token: str, nonce: str, known: _Known) -> dict[str, Any]:
        """Of an identity token that is the provider's, for us, for this login, and not over.

        Raises:
            Refusal: 403.
        """
        try:
            token = _decode(id_token, known)
        except (JoseError, ValueError):
            try:  # the provider may have a new key
                token = _decode(id_token, self._look(afresh=True))
            except (JoseError, ValueError) as error:
                raise _not_vouched("Its token is not signed as it should be") from error
        claims = dict(token.claims)
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self._provider.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": self._provider.client_id},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise _not_vouched(f"Its token is not one for this service ({error})") from error
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        party = claims.get("azp", self._provider.client_id if len(audience) == 1 else None)
        if party != self._provider.client_id or not _is_plain(claims["sub"]):
            raise _not_vouched("Its token is not one for this service")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise _not_vouched("Its token is of another login")
        return claims

    def _with_userinfo(self, session: OAuth2Client, known: _Known, claims: dict[str, Any]) -> dict[str, Any]:
        """With what the provider says of them elsewhere only; never in place of what it signed."""
        wanted = {self._provider.name_claim}
        if self._provider.group_roles:
            wanted.add(self._provider.groups_claim)
        if wanted <= claims.keys() or not known.userinfo:
            return claims
        more = session.get(known.userinfo).raise_for_status().json()
        if not isinstance(more, Mapping) or more.get("sub") != claims["sub"]:
            raise _not_vouched("It speaks of somebody else")
        return {**more, **claims}

    def _visitor(self, claims: Mapping[str, Any]) -> Visitor:
        groups = claims.get(self._provider.groups_claim, [])
        return Visitor(
            subject=f"{self._provider.issuer}#{claims['sub']}",
            name=str(claims.get(self._provider.name_claim, ""))[:200],
            full_name=str(claims.get("name", ""))[:200],
            email=str(claims.get("email", ""))[:200],
            groups=tuple(map(str, groups if isinstance(groups, list) else [groups])),
        )


def _is_plain(subject: object) -> bool:
    return (
        isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isascii() and subject.isprintable()
    )


def _decode(id_token: str, known: _Known) -> jwt.Token:
    return jwt.decode(id_token, known.keys, algorithms=known.algorithms)


def _is_safe(address: str) -> bool:
    """Whether what is sent there is encrypted, or does not leave the machine."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def _not_vouched(why: str) -> Refusal:
    return Refusal(403, "not_vouched", f"The login elsewhere did not succeed. {why}.", way_out="Begin again.")


def _unreachable(provider: Provider) -> Refusal:
    return Refusal(
        503,
        "provider_unreachable",
        f"{provider.issuer} does not answer as a provider of logins does.",
        way_out="Try later, or log in with a password.",
    )
