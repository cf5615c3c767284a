"""Flags that describe an experiment, as the overrides that they are."""

from argparse import Namespace

from amsdf.config.overrides import Overrides


def overrides_of(args: Namespace, config: str | None = None) -> Overrides:
    """The flags; `config` is a file that stands in for one that is not given."""
    return Overrides(
        recipe=args.recipe,
        config=args.config or config,
        views=args.view,
        head=args.head,
        loss=args.loss,
        augment=args.augment,
        freeze=args.freeze,
        train=args.train,
        dev=args.dev,
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        precision=args.precision,
        seed=args.seed,
        name=args.name,
        settings=args.set,
    )
