"""The raw-waveform view against AASIST's and AMSDF's own numbers."""

import copy

import pytest
import torch
from golden_names import close
from golden_names import golden as read_golden
from kept_files import shared_path

from amsdf.contracts import mask_of
from amsdf.plain import plain_way
from amsdf.testing import REPEATED, check_encoder, waveforms
from amsdf.weights import load_strictly
from encoders.sinc_resnet import SincResNetEncoder, sinc_filters

SMALL = {"channels": [4, 4, 8]}


@pytest.fixture(scope="module")
def golden():
    return read_golden("audio_view.safetensors")


def published(golden, **arguments) -> SincResNetEncoder:
    encoder = SincResNetEncoder(**arguments).double()
    state = {key.removeprefix("state."): golden[key] for key in golden if key.startswith("state.")}
    load_strictly(encoder, encoder.from_published(state)[0], "golden")
    return encoder.eval()


def waveform(golden):
    return golden["input.waveform_int16"].double() / 32768


def test_filters(golden):
    close(sinc_filters(70, 129), golden["sinc_filters"], 1e-6)  # made in float32


@torch.no_grad()
def test_amsdf_audio_view(golden):
    encoder, wave = published(golden), waveform(golden)
    close(encoder._stem(wave[:, :2_000])[..., :300], golden["out.stem_first300"])
    close(encoder(wave), golden["out.audio_view"])
    close(encoder(wave[:1, :32_000]), golden["out.audio_view_32000"])
    start, length = int(golden["mask_start"]), int(golden["mask_len"])
    encoder.sinc[start : start + length] = 0
    close(encoder(wave[:1]), golden["out.audio_view_masked"][:1])
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 211_074


@torch.no_grad()
def test_bands_are_the_feature_map_of_aasist(golden):
    encoder = published(golden, output="bands")
    bands = encoder(waveform(golden)[:1])
    assert encoder.layers == 23
    close(bands.permute(0, 3, 1, 2), golden["out.encoder_utt0"])


@pytest.mark.any_processor
@torch.no_grad()
def test_official_aasist_weights():
    stored = read_golden("aasist_official.safetensors")
    encoder = SincResNetEncoder(output="bands").double().eval()
    encoder.load_pretrained(shared_path("weights", "AASIST.pth"))
    wave = waveform(stored)
    close(encoder(wave[1:]).permute(0, 3, 1, 2), stored["out.encoder"][1:])


@pytest.mark.parametrize("output", ["nodes", "bands"])
def test_encoder(output: str):
    check_encoder(SincResNetEncoder(**SMALL, filters=24, output=output), samples=20_000)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_finite(dtype):
    encoder = SincResNetEncoder(**SMALL).eval().to(dtype)
    assert torch.isfinite(encoder(waveforms(2, 8_000))).all()


@torch.no_grad()
def test_whole_utterances_of_any_length(golden):
    """Trap: mask lost before pooling. What stands behind the end of a clip is never seen."""
    encoder = published(golden)
    lengths = torch.tensor([12_000, 13_333, 2_315, 1_600])
    batch = waveforms(4, 13_333).double()
    batch[~mask_of(lengths, 13_333)] = 0.5
    together, counts = encoder(batch, lengths), encoder.node_counts(lengths)
    assert counts.tolist() == [5, 6, 1, 1]
    for row, length in enumerate(lengths.tolist()):
        alone = encoder(batch[row : row + 1, :length])[0]
        assert len(alone) == counts[row]
        close(together[row, : len(alone)], alone)


@pytest.mark.parametrize("training", [False, True])
def test_everything_happens_on_the_device_of_the_waveform(training: bool):
    encoder = SincResNetEncoder(**SMALL, mask_per_clip=True).to("meta").train(training)
    nodes = encoder(torch.empty(2, 4_000, device="meta"), torch.tensor([3_000, 4_000]))
    assert nodes.device.type == "meta"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_strips_give_the_numbers_of_the_whole_map(threads: int, padded: bool):
    """Clips of several strips, of one, and of less; whatever is behind the end of a clip."""
    encoder = SincResNetEncoder(**SMALL)
    encoder(torch.randn(4, 5_000))  # so that the norms have statistics
    encoder.eval()
    lengths = torch.tensor([20_000, 4_321, 3_000, 12_345, 20_000])
    wave = torch.randn(5, 20_000)
    given = (wave, lengths) if padded else (wave,)
    with plain_way():
        expected = encoder(*given)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = encoder(*given)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    real = mask_of(encoder.node_counts(lengths), found.shape[1])
    assert real.sum() > 10
    close(found[real] if padded else found, expected[real] if padded else expected, 1e-5)


@pytest.mark.parametrize("padded", [False, True])
def test_training_in_strips_gives_gradients_and_statistics_of_the_whole_map(padded: bool):
    """In float64: gradients of every weight, and running statistics, of clips of three strips."""
    torch.manual_seed(0)
    quick = SincResNetEncoder(**SMALL, mask_filters=0).double().train()
    plain = copy.deepcopy(quick)
    wave = torch.randn(2, 9_000).double()
    given = (wave, torch.tensor([9_000, 4_000])) if padded else (wave,)
    found = quick(*given)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    with plain_way():
        expected = plain(*given)
        (expected * weights).sum().backward()

    close(found, expected, 1e-9)
    for (name, ours), theirs in zip(quick.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-8, msg=name)
    for (name, ours), theirs in zip(quick.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12, msg=name)


def test_a_block_that_is_held_frozen_keeps_its_statistics_while_others_train():
    """Training in strips takes the statistics of the batch: not of a block in evaluation."""
    torch.manual_seed(0)
    encoder, wave = SincResNetEncoder(**SMALL, mask_filters=0).train(), torch.randn(2, 9_000)
    encoder(wave)
    encoder.residual[0].eval()
    kept = encoder.residual[0].bn2.running_mean.clone()
    found = encoder(wave)
    with plain_way():
        close(found, encoder(wave), 1e-5)
    assert torch.equal(encoder.residual[0].bn2.running_mean, kept)


def test_gradients_through_running_statistics_take_the_whole_map(monkeypatch):
    """Explanations want gradients in evaluation mode; strips there keep none."""
    monkeypatch.setattr("encoders.sinc_resnet.pooled_block", None)
    monkeypatch.setattr("encoders.sinc_resnet.trained_block", None)
    wave = torch.randn(2, 5_000, requires_grad=True)
    SincResNetEncoder(**SMALL).eval()(wave).sum().backward()
    assert wave.grad.abs().sum() > 0


def test_short_clips_are_repeated_not_padded():
    encoder = SincResNetEncoder().eval()
    wave = waveforms(1, 1_000)
    with torch.no_grad():
        close(encoder(wave), encoder(wave.repeat(1, 3)[:, : encoder.shortest]), REPEATED)


def test_one_sample_and_a_batch_of_one_in_training():
    assert SincResNetEncoder(**SMALL).train()(torch.ones(1, 1)).shape == (1, 1, 8)


def test_mask_only_in_training_and_reproducible():
    """Trap: validation augmented at random. The draw follows the seed of the run."""
    encoder, wave = SincResNetEncoder(**SMALL), waveforms(2, 4_000)
    encoder.eval()
    state = torch.get_rng_state()
    encoder(wave)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    first = encoder.train()._draw_mask(2)
    torch.manual_seed(5)
    assert torch.equal(first, encoder._draw_mask(2))


@pytest.mark.parametrize("per_clip", [False, True])
def test_mask_widths_and_places(per_clip: bool):
    encoder = SincResNetEncoder(**SMALL, mask_per_clip=per_clip)
    torch.manual_seed(0)
    draws = [encoder._draw_mask(50)[..., 0] for _ in range(500)]
    assert {len(draw) for draw in draws} == {50 if per_clip else 1}
    masks = torch.cat(draws)
    widths = 70 - masks.sum(1)
    assert widths.max() <= 19 and 8 <= widths.mean() <= 11
    edges = masks.diff(dim=1).abs().sum(1)
    assert (edges <= 2).all()  # one gap, perhaps at an end
    assert (masks.sum(0) < len(masks)).all(), "the first and the last filter are silenced too"


def test_masked_filters_are_silent():
    encoder, wave = SincResNetEncoder(**SMALL).train(), waveforms(2, 4_000)
    encoder._draw_mask = lambda batch: torch.zeros(1, 70, 1)
    stem = encoder._stem(wave)
    assert stem.std() == 0
    encoder.mask_filters = 0
    assert encoder._stem(wave).std() > 0


def test_norms_of_published_files_that_nothing_reads():
    """Defect of AASIST: these norms are computed and thrown away. They load and stay untrained."""
    encoder = SincResNetEncoder(**SMALL).eval()
    wave = waveforms(2, 4_000)
    before = encoder(wave)
    for block in encoder.residual[1:]:
        block.bn1.weight.data.fill_(7)
    close(encoder(wave), before, REPEATED)
    encoder(wave).sum().backward()
    without = {name for name, p in encoder.named_parameters() if p.grad is None}
    assert without == {f"residual.{i}.bn1.{part}" for i in (1, 2) for part in ("weight", "bias")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filter_taps": 128}, "filter_taps is 128"),
        ({"filters": 2}, "filters is 2"),
        ({"mask_filters": 71}, "mask_filters is 71"),
        ({"output": "frames"}, "output is 'frames'"),
        ({"channels": []}, "channels is empty"),
    ],
)
def test_messages(arguments, message: str):
    with pytest.raises(ValueError, match=message):
        SincResNetEncoder(**arguments)


def test_a_wrong_checkpoint_is_refused(tmp_path):
    """Trap: strict=False hides a wrong checkpoint."""
    path = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="weights do not fit the model"):
        SincResNetEncoder(**SMALL).load_pretrained(path)
    torch.save({"epoch": 3}, path)
    with pytest.raises(ValueError, match="does not map names to tensors"):
        SincResNetEncoder(**SMALL).load_pretrained(path)
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match="which is code or an unknown class"):
        SincResNetEncoder(**SMALL).load_pretrained(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"is no file of torch\.save"):
        SincResNetEncoder(**SMALL).load_pretrained(path)
