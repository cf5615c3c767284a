"""`--engine` and what does not go with it."""

import os
from argparse import Namespace


def check_engine(args: Namespace) -> None:
    """Refuse what cannot work before any work is done."""
    several = os.environ.get("WORLD_SIZE", "1") != "1"
    if args.address and args.engine != "ray":
        raise ValueError(f"--address {args.address}: belongs to --engine ray; give both")
    if args.precision == "auto" and (several or args.engine == "ray"):
        raise ValueError("--precision auto: each process would choose for itself; give a format")
    if args.engine != "ray":
        return
    if several:
        raise ValueError("--engine ray: it starts its own processes; leave out the launcher")
    if getattr(args, "cache", None):
        raise ValueError("--cache: it works on one machine; leave it out with --engine ray")
