"""A cluster's Prometheus and Grafana get all the rules and dashboards that there are."""

import kubernetes_validate

from tests.deploy.manifests import ROOT, render

FOLDER = ROOT / "deploy" / "observability"


def test_every_rule_and_dashboard_is_given() -> None:
    documents = render(FOLDER)
    for each in documents:
        kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
    given = {name: text for each in documents for name, text in each["data"].items()}
    files = [FOLDER / "rules.yaml", *(FOLDER / "grafana" / "dashboards").glob("*.json")]
    assert given == {file.name: file.read_text() for file in files}
