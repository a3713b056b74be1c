"""`python -m steerco_intake ROLE`, or `steerco-intake ROLE`: one process of the service."""

from steerco_intake.app import SERVICE
from steerco_service.serving import serve


def main() -> None:
    """Run it in the role that the command line names."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
