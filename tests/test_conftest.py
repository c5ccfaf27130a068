"""The rules for every test hold."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

LEAKS = {
    "thread": """
        import threading
        stop = threading.Event()

        def test_leaks():
            threading.Thread(target=stop.wait, name="forgotten", daemon=True).start()

        def test_after():
            stop.set()
    """,
    "task": """
        import asyncio
        kept = []

        def test_leaks():
            loop = asyncio.new_event_loop()
            kept.append((loop, loop.create_task(asyncio.sleep(10), name="forgotten")))
            loop.run_until_complete(asyncio.sleep(0))

        def test_after():
            loop, task = kept.pop()
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            loop.close()
    """,
}


@pytest.fixture
def project(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> pytest.Pytester:
    rules = (request.config.rootpath / "tests" / "conftest.py").read_text()
    pytester.makeconftest(rules.replace("GRACE_S = 2.0", "GRACE_S = 0.05"))
    return pytester


@pytest.mark.parametrize("kind", LEAKS)
def test_what_a_test_leaves_running_fails_it(project: pytest.Pytester, kind: str):
    project.makepyfile(LEAKS[kind])
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines([f"*left running: {kind} *forgotten*"])


@pytest.mark.parametrize(("ci", "outcome"), [("true", "failed"), ("", "skipped")])
def test_a_missing_program_skips_a_test_except_in_ci(project, monkeypatch, request, ci, outcome):
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    project.makepyfile("""
        from tests.environment import skip_or_fail

        def test_needs_a_server():
            skip_or_fail("no server here")
    """)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(**{outcome: 1})
