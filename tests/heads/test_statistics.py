"""What the statistics head pools, and that training standardises it."""

import torch

from amsdf.contracts import ViewShape
from heads.statistics import StatisticsHead


def head(**arguments) -> StatisticsHead:
    return StatisticsHead({"audio": ViewShape(2), "text": ViewShape(3, 2)}, **arguments)


def test_mean_deviation_and_deviation_of_differences() -> None:
    nodes = torch.tensor([[[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [2.0, 1.0]]])
    found = StatisticsHead({"audio": ViewShape(2)}).statistics({"audio": nodes})[0]
    expected = [1.0, 1.0, (4 / 3) ** 0.5, 0.0, (16 / 3) ** 0.5, 0.0]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_every_layer_has_statistics_of_its_own() -> None:
    views = {"audio": torch.randn(4, 5, 2), "text": torch.randn(4, 2, 7, 3)}
    assert head().statistics(views).shape == (4, 3 * (2 + 2 * 3))


def test_padding_does_not_count() -> None:
    views = {"audio": torch.randn(1, 5, 2), "text": torch.randn(1, 2, 7, 3)}
    longer = {name: torch.cat([view, 9 + view], dim=-2) for name, view in views.items()}
    masks = {"audio": torch.arange(10)[None] < 5, "text": torch.arange(14)[None] < 7}
    torch.testing.assert_close(head().statistics(longer, masks), head().statistics(views))


def test_training_standardises() -> None:
    trained = head(momentum=0.5).train()
    for _ in range(20):
        trained({"audio": 50 + torch.randn(16, 5, 2), "text": torch.randn(16, 2, 7, 3)})
    assert (trained.centre[6:8] - 50).abs().max() > 40  # of the text view
    assert (trained.centre[:2] - 50).abs().max() < 1
    before = trained.centre.clone()
    trained.eval()({"audio": torch.randn(16, 5, 2), "text": torch.randn(16, 2, 7, 3)})
    assert torch.equal(trained.centre, before)
