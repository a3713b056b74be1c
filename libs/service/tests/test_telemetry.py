"""What a process is told of its traces and logs, by OpenTelemetry's own variables where there are some."""

import pytest

from steerco_service.serving import NotServed, told
from steerco_service.settings import EdgeSettings
from steerco_service.telemetry import TelemetrySettings

COLLECTOR = "http://127.0.0.1:4318"


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> EdgeSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return told(EdgeSettings, "up")


@pytest.mark.parametrize(
    ("variables", "sampler"),
    [
        ({}, "ParentBased{root:AlwaysOffSampler,"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR}, "ParentBased{root:AlwaysOnSampler,"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "AlwaysOffSampler"),
        (
            {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"},
            "ParentBased{root:TraceIdRatioBased{0.25},",
        ),
    ],
)
def test_traces_are_recorded_as_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sampler: str
) -> None:
    assert settings(monkeypatch, **variables).sampler.get_description().startswith(sampler)


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", "no URL such as http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://127.0.0.1", "no URL such as http://127.0.0.1:4318"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "Input should be 'always_on'"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "less than or equal to 1"),
        ("STEERCO_LOG_FORMAT", "xml", "Input should be 'json' or 'text'"),
    ],
)
def test_what_is_wrong_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    with pytest.raises(NotServed, match=f"{variable} ") as refused:
        settings(monkeypatch, **{variable: value})
    assert why in str(refused.value)


def test_another_process_is_told_the_same_by_the_same_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hushhush",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
        "STEERCO_LOG_FORMAT": "text",
    }
    found = settings(monkeypatch, **variables)
    assert found.environment == variables
    assert len(variables) == len(TelemetrySettings.model_fields)
    assert "hushhush" not in repr(found)
