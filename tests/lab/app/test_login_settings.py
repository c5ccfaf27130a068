from __future__ import annotations

from pathlib import Path

import pytest

from lab.app.house.login_settings import LoginSettings
from lab.errors import BadInput
from lab.people import Role
from lab.service.login_rules import LoginRules

ADDRESS = "http://localhost:8517"


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"DRYWET_LOGIN_{name.upper()}", value)


def test_without_settings_people_log_in_with_passwords() -> None:
    assert LoginSettings.read().rules(ADDRESS) == LoginRules()


def test_a_provider_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n", encoding="utf-8")
    _set(
        monkeypatch,
        oidc_issuer="https://login.example.org",
        oidc_client_id="lab",
        oidc_client_secret_file=str(secret),
        oidc_group_roles='{"lab-ops": ["operator", "viewer"]}',
        oidc_add_people="true",
        passwords="false",
        idle_minutes="30",
    )
    rules = LoginSettings.read().rules(ADDRESS)
    assert rules.idle_s == 1800.0
    assert not rules.passwords
    assert rules.provider is not None
    assert rules.provider.callback == "http://localhost:8517/api/oidc/callback"
    assert rules.provider.group_roles == {"lab-ops": frozenset({Role.OPERATOR, Role.VIEWER})}
    assert rules.provider.client_secret == "hush"
    assert "hush" not in repr(rules)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"passwords": "false"}, "Nobody could log in"),
        ({"session_hours": "long"}, "DRYWET_LOGIN_SESSION_HOURS"),
        ({"idle_minutes": "0"}, "DRYWET_LOGIN_IDLE_MINUTES"),
        ({"oidc_group_roles": "{"}, "JSON"),
        ({"oidc_issuer": "https://login.example.org"}, "OIDC_CLIENT_ID"),
        ({"oidc_issuer": "http://login.example.org", "oidc_client_id": "lab"}, "not encrypted"),
        (
            {
                "oidc_issuer": "https://l.example.org",
                "oidc_client_id": "lab",
                "oidc_group_roles": '{"a": ["king"]}',
            },
            "no role",
        ),
        (
            {
                "oidc_issuer": "https://l.example.org",
                "oidc_client_id": "lab",
                "oidc_client_secret_file": "none.txt",
            },
            "can't be read",
        ),
    ],
)
def test_a_setting_that_can_not_be_used_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], says: str
) -> None:
    _set(monkeypatch, **values)
    with pytest.raises(BadInput, match=says):
        LoginSettings.read().rules(ADDRESS)
