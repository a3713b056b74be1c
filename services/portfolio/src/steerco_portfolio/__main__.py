"""`python -m steerco_portfolio ROLE`, or `steerco-portfolio ROLE`: one process of the service."""

from steerco_portfolio.app import SERVICE
from steerco_service.serving import serve


def main() -> None:
    """Run it in the role that the command line names."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
