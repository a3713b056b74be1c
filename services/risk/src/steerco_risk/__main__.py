"""`python -m steerco_risk ROLE`, or `steerco-risk ROLE`: one process of the service."""

from steerco_risk.app import SERVICE
from steerco_service.serving import serve


def main() -> None:
    """Run it in the role that the command line names."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
