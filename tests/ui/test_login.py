"""Logging in to the console, staying logged in, and what is said where that ends."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from lab.client import Client, Refused
from tests.campaign_files import REPOSITORY
from tests.ui.console_lab import PASSWORD, ConsoleLab
from ui.parts.session import KEPT


def opened(token: str = "") -> AppTest:
    """The console as a browser opens it."""
    app = AppTest.from_file(str(REPOSITORY / "ui" / "start" / "console.py"), default_timeout=60)
    if token:
        app.session_state.token = token
    app.run()
    assert not app.exception
    return app


def fill(app: AppTest, name: str, password: str) -> AppTest:
    app.text_input[0].input(name)
    app.text_input[1].input(password)
    app.button[0].click().run()
    assert not app.exception
    return app


def titles(app: AppTest) -> list[str]:
    return [one.value for one in app.title]


def test_a_wrong_password_is_refused_in_the_words_for_an_unknown_name(console: ConsoleLab) -> None:
    known = fill(opened(), "ada", "not the password")
    unknown = fill(opened(), "nobody", "not the password")
    assert [one.value for one in known.error] == [one.value for one in unknown.error]
    assert known.error
    assert not known.session_state.token
    assert titles(known) == ["drywet"]


def test_who_logs_in_sees_the_lab_and_who_they_are(console: ConsoleLab) -> None:
    app = fill(opened(), "ada", PASSWORD)
    assert titles(app) == ["Overview"]
    assert "**Ada**" in [one.value for one in app.sidebar.markdown]
    address = console.url.removeprefix("http://")
    assert any(address in one.value and "operator" in one.value for one in app.sidebar.caption)


def test_logging_out_ends_the_session_at_the_service_too(console: ConsoleLab) -> None:
    app = fill(opened(), "ada", PASSWORD)
    token = app.session_state.token
    next(one for one in app.sidebar.button if one.label == "Log out").click().run()
    assert titles(app) == ["drywet"]
    with Client(console.url, token) as late, pytest.raises(Refused):
        late.me()


def test_a_session_that_ended_leads_to_the_login_with_a_sentence(console: ConsoleLab) -> None:
    with console.log_in() as ada:
        app = opened(ada.token)
        assert titles(app) == ["Overview"]
        ada.logout()
    app.run()
    assert titles(app) == ["drywet"]
    assert app.error
    assert not app.session_state.token


def test_without_an_answer_from_the_service_the_login_is_kept(
    console: ConsoleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with console.log_in() as ada:
        app = opened(ada.token)
        monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", "http://127.0.0.1:9")
        app.run()
        assert [one.value for one in app.error] == [
            "The lab service does not answer. What it was doing goes on without this page."
        ]
        monkeypatch.setenv("DRYWET_CONSOLE_SERVICE", console.url)
        next(one for one in app.button if one.label == "Try again").click().run()
        assert titles(app) == ["Overview"]


def test_the_word_for_a_cookie_is_good_once() -> None:
    word = KEPT.offer("a token")
    identifier = KEPT.fetch(word)
    assert identifier is not None
    assert identifier not in ("a token", word)
    assert KEPT.token_of(identifier) == "a token"
    assert KEPT.fetch(word) is None
    KEPT.forget(identifier)
    assert KEPT.token_of(identifier) == ""


@pytest.mark.parametrize("word", ["__word", "a__word", "word____", "_", "sevenof_"])
def test_a_word_for_a_cookie_may_be_any(word: str) -> None:
    def page(word: str) -> None:
        from ui.parts.components import keep_login

        keep_login(word)
        keep_login(word, out=True)

    assert not AppTest.from_function(page, kwargs={"word": word}).run(timeout=60).exception
