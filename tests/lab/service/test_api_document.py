"""Requests that the API's own document allows, and that it does not: never a 5xx, and answers as the document says.

More examples, by hand: ``DRYWET_API_EXAMPLES=200 pytest tests/lab/service/test_api_document.py``.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lab.people import Role
from tests.conftest import see_to_the_end
from tests.lab.service.api_lab import Api, Headers, api, fill

LEFT_OUT = {
    "/api/events": "its answers do not end",
    "/api/logout": "whoever asks would be gone",
    "/api/me/password": "whoever asks would be gone",
}

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
]

EXAMPLES = int(os.environ.get("DRYWET_API_EXAMPLES", "2"))
"""Of each operation, allowed and not; each is sent by everybody."""

CALLERS: Mapping[str, tuple[str, ...]] = {
    **{f"is-{role}": (role,) for role in Role},
    "is-everything": tuple(Role),
}


@pytest.fixture(autouse=True, scope="module")
def nothing_left_running() -> Iterator[None]:
    """The service of this module begins and ends threads as it pleases; in the end none is left."""
    yield from see_to_the_end()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Mapping[str, list[str]]]]:
    """A service with a little of everything in it, and what there is to ask for."""
    with api(tmp_path_factory.mktemp("document")) as here:
        known = fill(here)
        for name, roles in CALLERS.items():
            here.store.add_person(name, roles=roles)
        yield here, known


def operations(address: str) -> list[Any]:
    schema = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
    found: list[Any] = [one.ok() for one in schema.get_all_operations()]  # type: ignore[union-attr]
    return [one for one in found if one.path not in LEFT_OUT]


def callers(here: Api) -> list[Headers]:
    """Nobody, somebody with each role, and somebody with all."""
    return [{}, *(here.token(name) for name in CALLERS)]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not"])
def test_the_service_answers_everybody_as_its_document_says(
    used: tuple[Api, Mapping[str, list[str]]], mode: GenerationMode
) -> None:
    here, known = used
    tried: dict[str, int] = {}
    wrong: list[str] = []
    met: list[str] = []
    everybody = callers(here)

    def examine(operation: Any) -> None:
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def ask(case: Any, data: st.DataObject) -> None:
            for name in case.path_parameters or ():
                if mode is GenerationMode.POSITIVE and name in known and data.draw(st.integers(0, 3)):
                    case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
            for who in everybody:
                try:
                    case.validate_response(case.call(headers=who, timeout=60), checks=CHECKS)
                except BaseException as failed:  # a failed check is no Exception
                    met.append(f"{operation.label}: {failed!r}")
                    raise
                tried[operation.label] = tried.get(operation.label, 0) + 1

        ask()

    asked = operations(here.address)
    for operation in asked:
        met.clear()
        try:
            examine(operation)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # what takes nothing can't be asked wrongly
        except Exception as failed:  # noqa: BLE001  all of them are told together
            whole = "".join(traceback.format_exception(failed))
            wrong.append(met[0] if met else f"{operation.label}: {whole}")
    assert not wrong, "\n\n".join(wrong)
    assert len(tried) > 0.9 * len(asked)
    assert [here.client.get("/api/me", headers=who).status_code for who in everybody] == [401] + 6 * [200]
    print(f"{len(tried)} operations, {sum(tried.values())} requests")
