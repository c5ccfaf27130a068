"""The file ``notify.yaml``: over which channels people are told what. Secrets are not in it, only where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from lab.files.source import Problems, SourceFile, read_source
from lab.files.yaml_text import read_yaml
from lab.notices import TOLD, Channel, Desktop, Mail, NoticeKind, Webhook
from lab.strict import StrictModel, refuse

__all__ = ["NOTIFY_FILE", "load_channels"]

NOTIFY_FILE = "notify.yaml"
"""What it is called beside the store."""

_PORTS = {"tls": 465, "starttls": 587, "none": 25}


class _Mail(StrictModel):
    server: str = Field(min_length=1, max_length=255, examples=["smtp.example.org"])
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    sender: str = Field(min_length=3, max_length=320, examples=["lab@example.org"])
    to: tuple[str, ...] = Field(min_length=1, max_length=100, examples=["[mira@example.org]"])
    user: str = Field(default="", max_length=320)
    password_file: str = ""
    password_env: str = ""

    @model_validator(mode="after")
    def _addresses(self) -> _Mail:
        for one in (self.sender, *self.to):
            if "@" not in parseaddr(one)[1] or not one.isprintable():
                raise refuse(f"{one!r} is no mail address.", "Write it as name@example.org.")
        if bool(self.user) != bool(self.password_file or self.password_env):
            raise refuse("A user needs a password, and a password a user.", "Give both or neither.")
        if self.user and self.security == "none":
            raise refuse("The password would go over the network in the clear.", "Use tls or starttls.")
        return self


class _Webhook(StrictModel):
    url: str = Field(default="", max_length=4000, examples=["https://example.org/hooks/lab"])
    url_file: str = ""
    url_env: str = ""
    secret_file: str = ""
    secret_env: str = ""


class _Desktop(StrictModel):
    pass


class _Channel(StrictModel):
    name: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_. -]+$", examples=["people"])
    mail: _Mail | None = None
    webhook: _Webhook | None = None
    desktop: _Desktop | None = None
    kinds: tuple[Literal["hold", "fault", "approval", "finished", "not_started"], ...] | None = None
    campaigns: tuple[str, ...] = Field(default=("*",), min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> _Channel:
        if sum(way is not None for way in (self.mail, self.webhook, self.desktop)) != 1:
            raise refuse(f"Channel {self.name} goes one way.", "Give it one of mail, webhook and desktop.")
        return self


class _Notify(StrictModel):
    channels: tuple[_Channel, ...] = Field(max_length=50)

    @model_validator(mode="after")
    def _named_once(self) -> _Notify:
        names = [one.name for one in self.channels]
        if len(set(names)) < len(names):
            raise refuse("Two channels have one name.", "Give each a name of its own.")
        return self


def load_channels(path: Path, environment: Mapping[str, str] = os.environ) -> tuple[Channel, ...]:
    """Read the channels of a file, with their secrets from where it says.

    Args:
        environment: variables that secrets may be in.

    Raises:
        CampaignFileError: all that is wrong in it.
    """
    source, values = read_yaml(read_source(path, "file of channels"))
    problems = Problems(source)
    written = problems.read(_Notify, values)
    problems.raise_if_any()
    assert written is not None  # else there were problems
    secrets = _Secrets(source, problems, environment)
    channels = [_channel(one, number, secrets) for number, one in enumerate(written.channels, start=1)]
    problems.raise_if_any()
    return tuple(channels)


class _Secrets:
    """Reads secrets from files beside ``notify.yaml`` and from the environment; never says what is in them."""

    def __init__(self, source: SourceFile, problems: Problems, environment: Mapping[str, str]) -> None:
        self._folder = source.path.parent
        self.problems = problems
        self._environment = environment

    def read(self, place: str, name: str, file: str, variable: str) -> str:
        """A secret, or empty where none is named, or where it is not there, which is noted."""
        if file and variable:
            self.problems.add(place, f"{name} stands in two places.", f"Give {name}_file or {name}_env.")
        elif file:
            try:
                found = (self._folder / file).read_text(encoding="utf-8").strip()
            except (OSError, ValueError):
                self.problems.add(
                    f"{place}.{name}_file", f"{file} can't be read.", "Write the secret into it."
                )
                return ""
            if not found:
                self.problems.add(f"{place}.{name}_file", f"{file} is empty.", "Write the secret into it.")
            return found
        elif variable:
            found = self._environment.get(variable, "")
            if not found:
                self.problems.add(f"{place}.{name}_env", f"{variable} is not set.", "Set it to the secret.")
            return found
        return ""


def _channel(written: _Channel, number: int, secrets: _Secrets) -> Channel:
    place = f"channels[{number}]"
    way: Mail | Webhook | Desktop
    if written.mail is not None:
        way = _mail(written.mail, f"{place}.mail", secrets)
    elif written.webhook is not None:
        way = _webhook(written.webhook, f"{place}.webhook", secrets)
    else:
        way = Desktop()
    kinds = TOLD if written.kinds is None else frozenset(NoticeKind(kind) for kind in written.kinds)
    return Channel(name=written.name, way=way, kinds=kinds, campaigns=written.campaigns)


def _mail(written: _Mail, place: str, secrets: _Secrets) -> Mail:
    return Mail(
        server=written.server,
        port=written.port or _PORTS[written.security],
        security=written.security,
        sender=written.sender,
        to=written.to,
        user=written.user,
        password=secrets.read(place, "password", written.password_file, written.password_env),
    )


def _webhook(written: _Webhook, place: str, secrets: _Secrets) -> Webhook:
    url = written.url or secrets.read(place, "url", written.url_file, written.url_env)
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1
    except ValueError:
        wrong = True
    if wrong or not url.isprintable() or " " in url:
        secrets.problems.add(f"{place}.url", "It is no web address.", "Write it as https://example.org/hook.")
    return Webhook(url=url, secret=secrets.read(place, "secret", written.secret_file, written.secret_env))
