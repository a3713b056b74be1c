"""`python -m steerco_training ROLE`, or `steerco-training ROLE`: one process of the service."""

from steerco_service.serving import serve
from steerco_training.app import SERVICE


def main() -> None:
    """Run it in the role that the command line names."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
