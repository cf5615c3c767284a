"""Adaptive centroid shift: when the centroid moves, by how much, and when it must not."""

import logging
import socket

import pytest
import torch
from golden_names import close

from losses.acs import AdaptiveCentroidShiftLoss

DIM = 32


def batch(labels=(1, 0, 0, 1, 0, 0, 1, 0)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(labels), DIM, generator=generator), torch.tensor(labels)


def trained_acs(**options) -> AdaptiveCentroidShiftLoss:
    loss = AdaptiveCentroidShiftLoss(DIM, **options)
    loss(*batch())
    return loss


def test_acs_evaluation_leaves_the_centroid_alone():
    """Trap: the public centroid moves in evaluation mode and under no_grad."""
    loss = trained_acs()
    before = {key: value.clone() for key, value in loss.state_dict().items()}
    embeddings, labels = batch()
    with torch.no_grad():
        loss(embeddings + 9, labels)
    loss.eval()
    loss(embeddings + 9, labels)
    loss.score(embeddings + 9)
    assert all(torch.equal(value, before[key]) for key, value in loss.state_dict().items())


def test_acs_nan_row_does_not_enter():
    """Trap: one NaN row makes all later losses NaN."""
    loss = trained_acs()
    embeddings, labels = batch()
    embeddings[0, 3], embeddings[3, 0] = torch.nan, torch.inf
    assert not torch.isfinite(loss(embeddings, labels)), "this batch must show it"
    assert loss.count == 4
    assert torch.isfinite(loss(*batch()))


def test_acs_accumulates_in_float32():
    """Trap: bf16 embeddings made a bf16 running mean, off by 0.3 after 300 batches."""
    loss = AdaptiveCentroidShiftLoss(DIM)
    rows = torch.randn(300, 4, DIM, generator=torch.Generator().manual_seed(1)).bfloat16() + 1
    for group in rows:
        loss.update_centroid(group)
    expected = rows.double().mean(dim=(0, 1)).float()
    close(loss.centroid, expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_acs_centroid_stays_exact_when_the_model_is_halved(dtype):
    """Trap: a halved buffer rounds the running mean at every batch."""
    loss = trained_acs()
    exact = loss.centroid.clone()
    assert torch.equal(torch.nn.Sequential(loss).to(dtype)[0].centroid, exact)
    rows = torch.randn(300, 4, DIM, generator=torch.Generator().manual_seed(1)) + 1
    for group in rows:
        loss.update_centroid(group)
    expected = torch.cat([batch()[0][batch()[1] == 1], rows.flatten(0, 1)]).mean(dim=0)
    close(loss.centroid, expected)
    fresh = AdaptiveCentroidShiftLoss(DIM).to(dtype)
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh.centroid, loss.centroid)
    assert fresh.double().centroid.dtype == torch.float64
    assert loss.to("meta").centroid.dtype == torch.float32


def test_acs_without_bonafide_yet_gives_a_counted_zero(caplog):
    loss = AdaptiveCentroidShiftLoss(DIM)
    points = batch((0, 0))[0].requires_grad_()
    with caplog.at_level(logging.WARNING):
        value = loss(points, torch.tensor([0, 0]))
    value.backward()
    assert value == 0 and not points.grad.any() and not loss.initialised
    assert loss.skipped_batches == 1 and "no bona fide clip seen yet" in caplog.text


def test_acs_scores_need_a_centroid():
    with pytest.raises(ValueError, match=r"has not been initialised: train .* or call rebuild"):
        AdaptiveCentroidShiftLoss(DIM).score(batch()[0])
    with pytest.raises(ValueError, match="has not been initialised"):
        AdaptiveCentroidShiftLoss(DIM).eval()(*batch())


def test_acs_failed_rebuild_changes_nothing():
    loss = trained_acs()
    centroid = loss.centroid.clone()
    with pytest.raises(ValueError, match="no bona fide embedding"):
        loss.rebuild([batch((0, 0))])
    assert torch.equal(loss.centroid, centroid) and loss.count == 3


def test_acs_forgets_the_count_each_epoch_if_asked():
    embeddings, labels = batch()
    loss = trained_acs(reset_each_epoch=True)
    loss.start_epoch(1)
    assert torch.isfinite(loss(embeddings[1:3], labels[1:3])), "still usable before bona fide"
    loss(embeddings + 2, labels)
    close(loss.centroid, (embeddings + 2)[labels == 1].mean(dim=0))
    kept = trained_acs()
    kept.start_epoch(1)
    assert kept.count == 3


def test_acs_momentum_moves_by_its_share():
    embeddings, labels = batch()
    loss = trained_acs(momentum=0.25)
    first = loss.centroid.clone()
    loss(embeddings + 2, labels)
    close(loss.centroid, first + 0.5)
    with pytest.raises(ValueError, match="momentum 2 must be"):
        AdaptiveCentroidShiftLoss(DIM, momentum=2)


def test_acs_loss_may_be_negative():
    loss = AdaptiveCentroidShiftLoss(2)
    value = loss(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([1, 0]))
    assert value == -1


def _one_process(rank: int, port: int) -> None:
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    embeddings, labels = batch()
    loss = AdaptiveCentroidShiftLoss(DIM)
    rows = slice(0, 3) if rank == 0 else slice(3, 8)
    loss(embeddings[rows], labels[rows])
    loss(embeddings[1:3], labels[1:3])  # no bona fide anywhere
    close(loss.centroid, embeddings[labels == 1].mean(dim=0))
    assert loss.count == 3
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_acs_sums_over_processes():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(_one_process, args=(port,), nprocs=2)
