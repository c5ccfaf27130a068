"""One's own account: a new password, mails, and one's own address of the calendar."""

from __future__ import annotations

import httpx
import pytest

from lab.client import Client, Refused
from tests.ui.console_lab import PASSWORD, ConsoleLab
from tests.ui.test_watching import press, shown, words

NEW = "a lighthouse without stairs"


def test_a_password_is_changed_by_who_knows_the_present_one(console: ConsoleLab) -> None:
    with console.log_in("grace") as grace:
        page = shown("account", console, grace.token)
        for field, written in zip(page.text_input, ("wrong", NEW, NEW), strict=True):
            field.set_value(written)
        press(page, "Change password")
        assert "The present password is wrong." in words(page)
        for field, written in zip(page.text_input, (PASSWORD, NEW, NEW), strict=True):
            field.set_value(written)
        press(page, "Change password")
        assert "Changed. Other sessions of yours have ended." in words(page)
        with Client(console.url) as elsewhere:
            with pytest.raises(Refused, match="Name or password is wrong"):
                elsewhere.login("grace", PASSWORD)
            elsewhere.login("grace", NEW)
        grace.change_password(NEW, PASSWORD)  # the other tests know this one


def test_an_address_of_the_calendar_is_shown_once_and_ends_when_told(console: ConsoleLab) -> None:
    with console.log_in("vera") as vera:
        page = shown("account", console, vera.token)
        assert not [one for one in page.button if one.label == "End my address"]
        press(page, "Make an address")
        address = page.code[0].value
        assert httpx.get(address, trust_env=False).headers["content-type"].startswith("text/calendar")
        page.run()
        assert not page.code
        press(page, "End my address")
        assert httpx.get(address, trust_env=False).status_code == 404


def test_who_has_no_mail_address_is_told_who_adds_one(console: ConsoleLab) -> None:
    with console.log_in("vera") as vera:
        page = shown("account", console, vera.token)
    assert "No mail address of yours is known here; an admin can add it." in words(page)
    assert not page.toggle


def test_a_lab_without_a_mail_server_says_so(console: ConsoleLab) -> None:
    with console.log_in("ada") as ada:
        ada.put("/people/vera", {"expected": ada.get("/people/vera")["version"], "email": "vera@example.org"})
        with console.log_in("vera") as vera:
            page = shown("account", console, vera.token)
            page.toggle(key="account_mails").set_value(True).run()
            assert "This lab has no mail server to send from." in words(page)
        ada.put("/people/vera", {"expected": ada.get("/people/vera")["version"], "email": ""})
