"""``notify.yaml``: channels, and secrets that stand elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CampaignFileError
from lab.files.notify import load_channels
from lab.notices import TOLD, Desktop, Mail, NoticeKind, Webhook

ALL = """
channels:
  - name: people
    mail:
      server: smtp.example.org
      sender: Lab <lab@example.org>
      to: [mira@example.org, jon@example.org]
      user: lab
      password_file: mail_password.txt
    kinds: [hold, approval]
    campaigns: ["thermo*"]
  - name: chat
    webhook: {url_env: LAB_HOOK, secret_env: LAB_HOOK_SECRET}
  - name: screen
    desktop: {}
"""


def load(folder: Path, text: str, **environment: str) -> object:
    path = folder / "notify.yaml"
    path.write_text(text)
    return load_channels(path, environment)


def test_channels_are_read_with_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "mail_password.txt").write_text("open sesame\n")
    environment = {"LAB_HOOK": "https://chat.example.org/T0/B1", "LAB_HOOK_SECRET": "abracadabra"}
    path = tmp_path / "notify.yaml"
    path.write_text(ALL)
    people, chat, screen = load_channels(path, environment)
    assert people.way == Mail(
        server="smtp.example.org",
        port=587,
        security="starttls",
        sender="Lab <lab@example.org>",
        to=("mira@example.org", "jon@example.org"),
        user="lab",
        password="open sesame",
    )
    assert people.kinds == {NoticeKind.HOLD, NoticeKind.APPROVAL}
    assert people.takes(NoticeKind.HOLD, "thermostable")
    assert not people.takes(NoticeKind.HOLD, "film")
    assert not people.takes(NoticeKind.FAULT, "thermostable")
    assert chat.way == Webhook(url="https://chat.example.org/T0/B1", secret="abracadabra")
    assert chat.kinds == TOLD
    assert screen.way == Desktop()
    for channel in (people, chat, screen):
        for secret in ("sesame", "abracadabra", "T0/B1"):
            assert secret not in repr(channel)
            assert secret not in channel.way.where


@pytest.mark.parametrize(
    ("changed", "to", "field", "said"),
    [
        ("    desktop: {}", "    kinds: [hold]", "channels[3]", "goes one way"),
        ("    desktop: {}", "    desktop: {}\n    webhook: {url: 'http://a'}", "channels[3]", "goes one way"),
        ("name: chat", "name: people", "", "one name"),
        ("kinds: [hold, approval]", "kinds: [holds]", "channels[1].kinds[1]", "hold"),
        ("user: lab", "port: 25", "channels[1].mail", "A user needs a password"),
        ("user: lab", "user: lab\n      security: none", "channels[1].mail", "in the clear"),
        ("mira@example.org", "mira", "channels[1].mail", "'mira' is no mail address"),
        ("mail_password.txt", "nowhere.txt", "channels[1].mail.password_file", "nowhere.txt can't be read"),
        ("LAB_HOOK_SECRET", "LAB_SECRET", "channels[2].webhook.secret_env", "LAB_SECRET is not set"),
        ("url_env: LAB_HOOK,", "url: 'ftp://example.org',", "channels[2].webhook.url", "no web address"),
        ("url_env: LAB_HOOK,", "url: 'https://',", "channels[2].webhook.url", "no web address"),
        ("secret_env:", "secret_file: x, secret_env:", "channels[2].webhook", "two places"),
        ("channels:", "chanels:", "chanels", "channels"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_secrets(
    tmp_path: Path, changed: str, to: str, field: str, said: str
) -> None:
    (tmp_path / "mail_password.txt").write_text("open sesame\n")
    assert changed in ALL
    with pytest.raises(CampaignFileError) as refused:
        load(tmp_path, ALL.replace(changed, to), LAB_HOOK="https://a.org/T0", LAB_HOOK_SECRET="abracadabra")
    found = [refused.value, *refused.value.others]
    assert any((one.field or "") == field and said in str(one) for one in found), [str(one) for one in found]
    for one in found:
        assert "sesame" not in str(one)
        assert "abracadabra" not in str(one)


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    (tmp_path / "mail_password.txt").write_text(" \n")
    with pytest.raises(CampaignFileError, match="is empty"):
        load(tmp_path, ALL, LAB_HOOK="https://a.org/T0", LAB_HOOK_SECRET="abracadabra")
