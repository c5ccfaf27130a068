"""Settings of how people log in: from the environment (``DRYWET_LOGIN_...``)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from lab.errors import BadInput
from lab.people import read_roles
from lab.service.login_rules import LoginRules, Provider
from lab.service.provider import ProviderClient

__all__ = ["LoginSettings"]

_USUAL = Provider(issuer="", client_id="")


class LoginSettings(BaseSettings):
    """How people log in, and for how long.

    Args:
        session_hours: a session ends this long after the login, whatever happens.
        idle_minutes: a session ends when nothing came with it for so long.
        token_days: how far ahead the end of an API token may be.
        passwords: whether people log in with a password kept here.
        oidc_issuer: address of an OpenID Connect provider; empty for none.
        oidc_client_id: what it calls this service.
        oidc_client_secret: empty for a public client.
        oidc_client_secret_file: file that holds it, in its place.
        oidc_label: what the console's button says.
        oidc_callback: address under which browsers reach ``/api/oidc/callback``; empty for the service's own.
        oidc_scopes: asked for.
        oidc_name_claim: what people are called here who are added at their first login.
        oidc_groups_claim: where it lists somebody's groups.
        oidc_group_roles: group -> roles, as JSON: ``{"lab-ops": ["operator"]}``.
        oidc_add_people: whether who logs in for the first time is added, with the roles of their groups.
    """

    model_config = SettingsConfigDict(env_prefix="DRYWET_LOGIN_", frozen=True)

    session_hours: float = Field(default=16.0, gt=0.0, le=24.0 * 31)
    idle_minutes: float = Field(default=120.0, gt=0.0, le=60.0 * 24 * 31)
    token_days: int = Field(default=366, ge=1, le=3660)
    passwords: bool = True
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_client_secret_file: Path | None = None
    oidc_label: str = _USUAL.label
    oidc_callback: str = ""
    oidc_scopes: tuple[str, ...] = _USUAL.scopes
    oidc_name_claim: str = _USUAL.name_claim
    oidc_groups_claim: str = _USUAL.groups_claim
    oidc_group_roles: dict[str, list[str]] = Field(default_factory=dict)
    oidc_add_people: bool = False

    @classmethod
    def read(cls) -> LoginSettings:
        """From the environment.

        Raises:
            BadInput: one of them can't be read.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = f"DRYWET_LOGIN_{'_'.join(str(part) for part in first['loc'][:1]).upper()}"
            raise BadInput(f"{first['msg']}.", field=name) from error
        except SettingsError as error:
            raise BadInput(f"{error}.", way_out="Lists and tables are written as JSON.") from error

    def rules(self, address: str) -> LoginRules:
        """For the service.

        Args:
            address: of the service.

        Raises:
            BadInput: an unknown role, a secret that can't be read, an address without encryption, or no way to log in.
        """
        if not self.passwords and not self.oidc_issuer:
            raise BadInput(
                "Nobody could log in: passwords are off, and there is no provider.",
                way_out="Set DRYWET_LOGIN_OIDC_ISSUER, or leave passwords on.",
                field="DRYWET_LOGIN_PASSWORDS",
            )
        return LoginRules(
            session_s=self.session_hours * 3600.0,
            idle_s=self.idle_minutes * 60.0,
            longest_token_days=self.token_days,
            passwords=self.passwords,
            provider=self._provider(address) if self.oidc_issuer else None,
        )

    def _provider(self, address: str) -> Provider:
        if not self.oidc_client_id:
            raise BadInput(
                "It is not known what the provider calls this service.",
                way_out="Set DRYWET_LOGIN_OIDC_CLIENT_ID.",
                field="DRYWET_LOGIN_OIDC_CLIENT_ID",
            )
        provider = Provider(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self._secret(),
            label=self.oidc_label,
            callback=self.oidc_callback or f"{address}/api/oidc/callback",
            scopes=self.oidc_scopes,
            name_claim=self.oidc_name_claim,
            groups_claim=self.oidc_groups_claim,
            group_roles={group: read_roles(roles) for group, roles in self.oidc_group_roles.items()},
            add_people=self.oidc_add_people,
        )
        ProviderClient(provider)  # which refuses addresses that secrets must not be sent to
        return provider

    def _secret(self) -> str:
        if self.oidc_client_secret_file is None:
            return self.oidc_client_secret.get_secret_value()
        try:
            return self.oidc_client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise BadInput(
                "The client secret can't be read.",
                file=self.oidc_client_secret_file,
                way_out="Give a text file that holds it, readable for the service.",
            ) from error
