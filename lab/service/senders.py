"""Sends one notice: by mail, to a web address, or onto the desktop. What goes wrong is said without secrets."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import shutil
import smtplib
import ssl
import subprocess
import time
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import assert_never

import httpx

from lab.notices import Channel, Desktop, Mail, Notice, Webhook

__all__ = ["PATIENCE_S", "NotSent", "send", "signature"]

log = logging.getLogger("drywet.service")

PATIENCE_S = 20.0
"""Wall time that a server may take to answer."""


class NotSent(Exception):
    """A notice was not taken; says why, in a sentence that holds no secret."""


def send(channel: Channel, notice: Notice, link: str) -> None:
    """Send a notice over a channel, and wait until it is taken.

    A notice that is sent once more, as nobody knows whether it was taken, has the same ``Message-ID`` or
    ``Drywet-Delivery`` as before, by which who gets it can tell.

    Args:
        link: to the console's page about it.

    Raises:
        NotSent: it was not taken, or nobody knows.
    """
    way = channel.way
    match way:
        case Mail():
            _mail(way, notice, link)
        case Webhook():
            _post(way, notice, link)
        case Desktop():
            _show(notice, link)
        case _:
            assert_never(way)


def _mail(way: Mail, notice: Notice, link: str) -> None:
    letter = EmailMessage()
    letter["Subject"] = _line(notice.subject)
    letter["From"] = way.sender
    letter["To"] = ", ".join(way.to)
    letter["Date"] = format_datetime(notice.created_utc)
    letter["Message-ID"] = f"<{_delivery(notice)}@{parseaddr(way.sender)[1].rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(f"{notice.sentence}\n\n{link}\n")
    try:
        with _connected(way) as server:
            if way.user:
                server.login(way.user, way.password)
            refused = server.send_message(letter)
    except smtplib.SMTPAuthenticationError as error:
        raise NotSent(f"{way.server} does not take this user and password ({error.smtp_code}).") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"{way.server} did not take the mail: {_said(error)}.") from error
    if refused:  # Some have it. Sent once more, they would have it twice.
        log.warning("%s did not take the mail to %s, but to the others.", way.server, ", ".join(refused))


def _connected(way: Mail) -> smtplib.SMTP:
    if way.security == "tls":
        return smtplib.SMTP_SSL(
            way.server, way.port, timeout=PATIENCE_S, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(way.server, way.port, timeout=PATIENCE_S)
    if way.security == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except BaseException:
            server.close()
            raise
    return server


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What proves that a post is ours: HMAC-SHA256 of ``<timestamp>.<body>`` by the secret of the channel."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def _post(way: Webhook, notice: Notice, link: str) -> None:
    body = json.dumps(
        {
            "id": _delivery(notice),
            "kind": str(notice.kind),
            "campaign_id": notice.campaign_id,
            "subject": notice.subject,
            "sentence": notice.sentence,
            "text": f"{notice.subject}\n{notice.sentence}\n{link}",  # what chat services show
            "link": link,
            "created_utc": notice.created_utc.isoformat(),
        }
    ).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "drywet",
        "Drywet-Delivery": _delivery(notice),
        "Drywet-Timestamp": timestamp,
    }
    if way.secret:
        headers["Drywet-Signature"] = signature(way.secret, timestamp, body)
    try:
        request = httpx.Request(
            "POST",
            way.url,
            content=body,
            headers=headers,
            extensions={"timeout": httpx.Timeout(PATIENCE_S).as_dict()},
        )
        # Not a client: that would write the address, which may be a secret, into the log, and follow others' settings.
        with httpx.HTTPTransport() as transport:
            response = transport.handle_request(request)
            response.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise NotSent(f"{_host(way)} does not answer: {type(error).__name__}.") from None
    if not response.is_success:
        raise NotSent(f"{_host(way)} answered {response.status_code}.")


def _host(way: Webhook) -> str:
    return way.where.removeprefix("POST to ")


def _show(notice: Notice, link: str) -> None:
    program = shutil.which("notify-send")
    if program is None:
        raise NotSent("This computer has no notify-send, which shows notices on the desktop.")
    urgency = "normal" if notice.kind in ("finished", "test") else "critical"
    shown = [program, "--app-name=drywet", f"--urgency={urgency}", "--", _line(notice.subject)]
    try:
        done = subprocess.run(
            [*shown, _markup(f"{notice.sentence}\n{link}")],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise NotSent(f"notify-send did not end well: {_said(error)}.") from error
    if done.returncode != 0:
        raise NotSent(f"notify-send did not show it: {_line(done.stderr)[:200] or done.returncode}.")


def _markup(text: str) -> str:
    """The body of a desktop's notice may be marked up, so what looks like that is not."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\0", "")


def _delivery(notice: Notice) -> str:
    """The same each time that this notice is sent."""
    return hashlib.sha256(f"{notice.key} {notice.created_utc.isoformat()}".encode()).hexdigest()[:32]


def _line(text: str) -> str:
    """Text that stands where only one line may."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return _line(str(error))[:300].rstrip(".") or type(error).__name__
