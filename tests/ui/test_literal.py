"""What somebody wrote is shown as they wrote it."""

from __future__ import annotations

import pytest

from ui.parts.showing import literal, spoken


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![x](http://example.org/x.png)", r"\!\[x\]\(http\:\/\/example\.org\/x\.png\)"),
        (":material/home: $x^2$", r"\:material\/home\: \$x\^2\$"),
        ("a line\n\n# and a heading", r"a line \# and a heading"),
        ("    as code", "as code"),
        ("wie üblich, 5 µl", r"wie üblich\, 5 µl"),
    ],
)
def test_what_somebody_wrote_is_no_markdown(written: str, shown: str) -> None:
    assert literal(written) == shown


def test_the_service_may_show_code_in_what_it_says() -> None:
    assert spoken("Give it a `parent`. *No*.") == r"Give it a `parent`\. \*No\*\."


def test_code_that_somebody_else_opens_hides_nothing() -> None:
    assert spoken("``a ` ![x](y)") == literal("``a ` ![x](y)")
    assert spoken("one ` ![x](y)") == literal("one ` ![x](y)")
