"""Notices go to real servers on this computer, for mail and for posts; a program stands for the desktop."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import ipaddress
import json
import logging
import queue
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.notices import Channel, Desktop, Mail, Notice, NoticeKind, NoticeStatus, Webhook
from lab.service import senders
from lab.service.messenger import Messenger
from lab.service.senders import NotSent, send, signature
from lab.store import Store
from lab.types import CampaignStatus
from tests.lab.store.examples import a_campaign, stocked

WAIT_S = 30.0
"""Generous: what is waited for takes milliseconds."""

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def a_notice(**more: Any) -> Notice:
    known = {
        "number": 1,
        "key": "event:7@people",
        "kind": NoticeKind.HOLD,
        "campaign_id": "cmp_1",
        "subject": "thermostable is held and waits for you",
        "sentence": "Step 3 is unknown: µl, 4 °C.",
        "path": "live?campaign=cmp_1",
        "channel": "people",
        "status": NoticeStatus.WAITING,
        "tries": 0,
        "error": "",
        "next_utc": NOON,
        "created_utc": NOON,
    }
    return Notice(**{**known, **more})


# Mail.


class Post:
    """A mail server's hands: keeps what it takes, and refuses what it is told to."""

    def __init__(self) -> None:
        self.taken: queue.SimpleQueue[tuple[list[str], EmailMessage]] = queue.SimpleQueue()
        self.refuse: set[str] = set()
        self.down = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return "550 Nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.down:
            return "451 Come back later"
        letter = email.message_from_bytes(envelope.original_content or b"", policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.taken.put((list(envelope.rcpt_tos), letter))
        return "250 OK"


class _OnAnyPort(Controller):
    """Its base takes for granted that the port is known before it listens."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(post: Post, **settings: Any) -> Iterator[int]:
    """A mail server on this computer; gives its port."""
    running = _OnAnyPort(post, hostname="127.0.0.1", port=0, **settings)
    running.start()
    try:
        yield running.port
    finally:
        running.stop()


def by_mail(port: int, **more: Any) -> Channel:
    known = {"server": "localhost", "security": "none", "sender": "Lab <lab@example.org>"}
    return Channel(name="people", way=Mail(port=port, **{**known, "to": ("mira@example.org",), **more}))


def test_a_mail_says_what_happened_and_where_to_look() -> None:
    post = Post()
    with mail_server(post) as port:
        send(
            by_mail(port, to=("mira@example.org", "jon@example.org")),
            a_notice(),
            "http://lab/live?campaign=cmp_1",
        )
    to, letter = post.taken.get(timeout=WAIT_S)
    assert to == ["mira@example.org", "jon@example.org"]
    assert letter["Subject"] == "thermostable is held and waits for you"
    assert letter["From"] == "Lab <lab@example.org>"
    assert (
        letter.get_content().replace("\r\n", "\n")
        == "Step 3 is unknown: µl, 4 °C.\n\nhttp://lab/live?campaign=cmp_1\n"
    )


def test_a_mail_that_is_sent_once_more_can_be_told_by_its_identifier() -> None:
    post = Post()
    with mail_server(post) as port:
        for notice in (a_notice(), a_notice(tries=3), a_notice(key="event:8@people")):
            send(by_mail(port), notice, "http://lab")
    first, again, other = (post.taken.get(timeout=WAIT_S)[1]["Message-ID"] for _ in range(3))
    assert first == again != other
    assert first.endswith("@example.org>")


def test_a_subject_can_not_smuggle_headers_into_a_mail() -> None:
    post = Post()
    with mail_server(post) as port:
        notice = a_notice(subject="held\r\nBcc: everybody@example.org\n\nBuy\x00 now", sentence="x\r\n.\r\ny")
        send(by_mail(port), notice, "http://lab")
    to, letter = post.taken.get(timeout=WAIT_S)
    assert to == ["mira@example.org"]
    assert letter["Subject"] == "held Bcc: everybody@example.org Buy now"
    assert letter["Bcc"] is None
    assert "y" in letter.get_content()


def test_a_mail_that_nobody_takes_is_not_sent_and_one_that_some_take_is() -> None:
    post = Post()
    post.refuse = {"mira@example.org"}
    with mail_server(post) as port:
        with pytest.raises(NotSent, match="localhost did not take the mail"):
            send(by_mail(port), a_notice(), "")
        send(by_mail(port, to=("mira@example.org", "jon@example.org")), a_notice(), "")
        post.down = True
        with pytest.raises(NotSent, match="Come back later"):
            send(by_mail(port, to=("jon@example.org",)), a_notice(), "")
    assert post.taken.get(timeout=WAIT_S)[0] == ["jon@example.org"]
    assert post.taken.empty()
    with pytest.raises(NotSent, match="refused"):
        send(by_mail(port), a_notice(), "")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this computer by nobody but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _asks_for_a_password(
    server: object, session: object, envelope: object, way: str, data: object
) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=data == LoginPassword(b"lab", b"open sesame"), handled=False)


def test_a_password_goes_over_tls_only_and_is_never_told(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    post = Post()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    settings = {"tls_context": tls, "require_starttls": True, "authenticator": _asks_for_a_password}
    with mail_server(post, auth_required=True, **settings) as port:
        right = by_mail(port, security="starttls", user="lab", password="open sesame")
        with pytest.raises(NotSent, match="certificate verify failed"):
            send(right, a_notice(), "")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        send(right, a_notice(), "")
        wrong = by_mail(port, security="starttls", user="lab", password="open barley")
        with caplog.at_level(logging.DEBUG), pytest.raises(NotSent) as refused:
            send(wrong, a_notice(), "")
    assert str(refused.value) == "localhost does not take this user and password (535)."
    assert post.taken.get(timeout=WAIT_S)[0] == ["mira@example.org"]
    for shown in (repr(wrong), str(refused.value), wrong.way.where, caplog.text):
        assert "barley" not in shown


# Web addresses.


@dataclass
class Hook:
    """What a web address was sent, and what it is to answer."""

    port: int
    answers: list[int] = field(default_factory=list)
    posts: queue.SimpleQueue[tuple[str, dict[str, str], bytes]] = field(default_factory=queue.SimpleQueue)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/SECRETPATH"


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.posts.put((self.path, dict(self.headers), body))
            self.send_response(taken.answers.pop(0) if taken.answers else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Not on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken = Hook(server.server_port)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield taken
        server.shutdown()
        serving.join()


def test_a_post_is_json_and_signed_by_the_secret(hook: Hook) -> None:
    send(Channel(name="chat", way=Webhook(url=hook.url, secret="open sesame")), a_notice(), "http://lab/live")
    path, headers, body = hook.posts.get(timeout=WAIT_S)
    assert path == "/services/T0/SECRETPATH"
    told = json.loads(body)
    assert told["kind"] == "hold"
    assert told["campaign_id"] == "cmp_1"
    assert told["link"] == "http://lab/live"
    assert told["sentence"] == "Step 3 is unknown: µl, 4 °C."
    assert told["text"].splitlines() == [told["subject"], told["sentence"], told["link"]]
    signed = headers["Drywet-Timestamp"].encode() + b"." + body
    expected = hmac.new(b"open sesame", signed, hashlib.sha256).hexdigest()
    assert headers["Drywet-Signature"] == f"sha256={expected}"
    assert signature("other", headers["Drywet-Timestamp"], body) != headers["Drywet-Signature"]
    assert abs(int(headers["Drywet-Timestamp"]) - datetime.now(UTC).timestamp()) < 600
    assert headers["Drywet-Delivery"] == told["id"]


def test_a_post_without_a_secret_is_not_signed(hook: Hook) -> None:
    send(Channel(name="chat", way=Webhook(url=hook.url)), a_notice(), "")
    assert "Drywet-Signature" not in hook.posts.get(timeout=WAIT_S)[1]


@pytest.mark.parametrize("answer", [301, 307, 400, 404, 500, 503])
def test_only_an_answer_that_takes_it_counts_and_nothing_is_followed(hook: Hook, answer: int) -> None:
    hook.answers = [answer]
    with pytest.raises(NotSent, match=f"127.0.0.1 port {hook.port} answered {answer}"):
        send(Channel(name="chat", way=Webhook(url=hook.url)), a_notice(), "")
    hook.posts.get(timeout=WAIT_S)
    assert hook.posts.empty()


def test_an_address_that_is_a_secret_is_nowhere_told(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    channel = Channel(name="chat", way=Webhook(url=hook.url, secret="open sesame"))
    shown = [repr(channel), channel.way.where]
    with caplog.at_level(logging.DEBUG):
        send(channel, a_notice(), "")
        hook.answers = [500]
        with pytest.raises(NotSent) as refused:
            send(channel, a_notice(), "")
        with pytest.raises(NotSent) as silent:
            send(Channel(name="chat", way=Webhook(url="http://127.0.0.1:1/SECRETPATH")), a_notice(), "")
    for text in (*shown, str(refused.value), str(silent.value), caplog.text):
        assert "SECRETPATH" not in text
        assert "sesame" not in text
    assert str(silent.value) == "127.0.0.1 port 1 does not answer: ConnectError."


# The desktop.


def test_the_desktop_shows_a_notice_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nfor one in "$@"; do printf "%s|" "$one"; done > {tmp_path}/shown\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    notice = a_notice(subject="--help; $(reboot)", sentence="4 < 5 & <b>bold</b>")
    send(Channel(name="screen", way=Desktop()), notice, "http://lab")
    assert (tmp_path / "shown").read_text().split("|") == [
        "--app-name=drywet",
        "--urgency=critical",
        "--",
        "--help; $(reboot)",
        "4 &lt; 5 &amp; &lt;b&gt;bold&lt;/b&gt;\nhttp://lab",
        "",
    ]


def test_a_computer_without_a_desktop_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSent, match="no notify-send"):
        send(Channel(name="screen", way=Desktop()), a_notice(), "")
    program = tmp_path / "notify-send"
    program.write_text("#!/bin/sh\necho 'no bus' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(NotSent, match="did not show it: no bus"):
        send(Channel(name="screen", way=Desktop()), a_notice(), "")


# The messenger.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "lab.db") as store:
        store.begin_to_listen()
        yield store


def held(store: Store, name: str = "thermostable") -> str:
    campaign = a_campaign(name)
    store.create_campaign(campaign, stocked(store, {}).id, "hash", {})
    store.set_campaign_status(campaign.id, CampaignStatus.HELD, "Step 3 is unknown.")
    return campaign.id


class Hands:
    """A clock on the wall that is moved by hand."""

    def __init__(self) -> None:
        self.utc = NOON

    def __call__(self) -> datetime:
        return self.utc


def test_threads_tell_over_every_channel_what_the_store_says(store: Store, hook: Hook) -> None:
    post = Post()
    with mail_server(post) as port:
        channels = [by_mail(port), Channel(name="chat", way=Webhook(url=hook.url))]
        with Messenger(store, channels, "http://lab:8501/"):
            campaign_id = held(store)
            _, letter = post.taken.get(timeout=WAIT_S)
            told = json.loads(hook.posts.get(timeout=WAIT_S)[2])
    assert told["link"] == f"http://lab:8501/live_run?campaign={campaign_id}"
    assert told["link"] in letter.get_content()
    assert "Step 3 is unknown." in told["sentence"]


def test_what_happened_while_nobody_listened_is_told_at_the_next_start_and_once(
    store: Store, hook: Hook
) -> None:
    channel = Channel(name="chat", way=Webhook(url=hook.url))
    held(store)
    for _ in range(3):
        messenger = Messenger(store, [channel], "http://lab")
        messenger.listen()
        messenger.send_due(channel)
    hook.posts.get(timeout=WAIT_S)
    assert hook.posts.empty()


def test_a_dead_server_is_tried_for_a_day_and_then_given_up_with_a_warning(
    store: Store, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hands, channel = Hands(), Channel(name="chat", way=Webhook(url=hook.url))
    messenger = Messenger(store, [channel], "http://lab", now=hands)
    hook.answers = [500] * 100
    held(store)
    messenger.listen()
    times = []
    while (notice := store.notices()[0]).status is NoticeStatus.WAITING:
        hands.utc = notice.next_utc
        assert messenger.send_due(channel) == 1
        times.append(hands.utc - NOON)
        assert messenger.send_due(channel) == 0, "not before its time"
    assert notice.status is NoticeStatus.GIVEN_UP
    assert notice.error == f"127.0.0.1 port {hook.port} answered 500."
    assert timedelta(hours=22) < times[-1] <= timedelta(days=1)
    assert notice.tries == len(times) == 100 - len(hook.answers)
    (warning,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "given up after a day" in warning.getMessage()


def test_a_server_that_comes_back_gets_what_waited(store: Store, hook: Hook) -> None:
    hands, channel = Hands(), Channel(name="chat", way=Webhook(url=hook.url))
    messenger = Messenger(store, [channel], "http://lab", now=hands)
    hook.answers = [503, 200]
    held(store)
    messenger.listen()
    messenger.send_due(channel)
    hands.utc += timedelta(minutes=1)
    messenger.send_due(channel)
    first, second = (hook.posts.get(timeout=WAIT_S) for _ in range(2))
    assert first[1]["Drywet-Delivery"] == second[1]["Drywet-Delivery"]
    (notice,) = store.notices()
    assert (notice.status, notice.tries, notice.error) == (NoticeStatus.SENT, 2, "")


def test_a_server_that_does_not_answer_holds_nothing_and_nobody_else_up(
    store: Store, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        dead = Channel(name="dead", way=Webhook(url=f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        with Messenger(store, [dead, Channel(name="chat", way=Webhook(url=hook.url))], "http://lab"):
            for name in ("one", "two", "three"):
                held(store, name)
            told = {json.loads(hook.posts.get(timeout=WAIT_S)[2])["subject"].split()[0] for _ in range(3)}
    assert told == {"one", "two", "three"}
    assert {one.status for one in store.notices() if one.channel == "chat"} == {NoticeStatus.SENT}


def test_a_test_goes_over_every_channel_whatever_it_is_for(store: Store, hook: Hook) -> None:
    channel = Channel(name="chat", way=Webhook(url=hook.url), kinds=frozenset(), campaigns=("none",))
    messenger = Messenger(store, [channel], "http://lab")
    for _ in range(2):
        (notice,) = messenger.test("mira")
        messenger.send_due(channel)
        told = json.loads(hook.posts.get(timeout=WAIT_S)[2])
        assert (notice.kind, told["kind"], told["link"]) == (NoticeKind.TEST, "test", "http://lab")
        assert "mira tries" in told["sentence"]
