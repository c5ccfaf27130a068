"""What the service is told about how people log in; values only, read by the program around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.people import Role

__all__ = ["LoginRules", "Provider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenID Connect provider that people may log in at.

    Args:
        issuer: its address, under which ``.well-known/openid-configuration`` is found; also what its tokens must say.
        client_id: what it calls this service.
        client_secret: empty for a public client, which PKCE guards.
        label: what the console's button says.
        callback: address under which a browser reaches ``/api/oidc/callback`` of this service, as the provider knows it.
        scopes: asked for.
        name_claim: what people are called here, for those whom ``add_people`` adds.
        groups_claim: where it lists somebody's groups.
        group_roles: group -> roles; when there are any, they are somebody's roles from each login on.
        add_people: whether who logs in for the first time is added; their groups must give them a role.
    """

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    label: str = "Log in with the institute's account"
    callback: str = "http://localhost:8517/api/oidc/callback"
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    group_roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    add_people: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRules:
    """How people log in, and for how long.

    Args:
        session_s: a session ends this long after the login, whatever happens.
        idle_s: a session ends when nothing came with it for so long.
        longest_token_days: how far ahead the end of an API token may be.
        passwords: whether people log in here with a password.
        provider: where they log in otherwise; None for nowhere.
    """

    session_s: float = 16 * 3600.0
    idle_s: float = 2 * 3600.0
    longest_token_days: int = 366
    passwords: bool = True
    provider: Provider | None = None
