"""Requests drawn from the API's own description find no error of the server's."""

from __future__ import annotations

import contextlib

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, content_type_conformance, status_code_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_the_description_allows_and_what_it_does_not_finds_no_error(everything, mode):
    schema = schemathesis.openapi.from_url(everything.url + "/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        strategy = operation.as_strategy(generation_mode=mode)

        @given(case=strategy)
        @settings(max_examples=15, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)
        def ask(case):
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=CHECKS)

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a request that has nothing
            ask()
    assert tried > 20
