"""wav2vec 2.0 and XLS-R: the text view of AMSDF, from fairseq's own files or Hugging Face folders.

Baevski et al., "wav2vec 2.0: A framework for self-supervised learning of speech representations",
NeurIPS 2020; Babu et al., "XLS-R: Self-supervised cross-lingual speech representation learning at
scale", Interspeech 2022.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from amsdf.published_names import Sizes
from encoders._fairseq_file import architecture, configuration, read_fairseq, to_transformers
from encoders._layers import LayerName
from encoders._speech_transformer import SpeechTransformer, read_json, wants_normalized

#: Attention heads by width, as in wav2vec 2.0 and XLS-R: they are in the shape of no weight.
HEADS = {768: 12, 1024: 16, 1280: 16, 1920: 16}
#: Nor are strides; all published models have these.
STRIDES = (5, 2, 2, 2, 2, 2, 2)


class XLSREncoder(SpeechTransformer):
    """wav2vec 2.0 / XLS-R hidden states; the defaults are XLS-R 300M.

    Args:
        hidden: Width of the transformer, and of a node.
        layers_count: Transformer layers.
        heads: Attention heads.
        ffn: Width of the feed-forward parts.
        conv_dims: Channels of each convolution of the front.
        conv_kernels: Their kernels.
        conv_strides: Their strides; the product is the hop, 320 samples.
        extractor_mode: `layer_norm` in every convolution block, or `default`: one group norm over
            time in the first (base models).
        conv_bias: Whether these convolutions have biases.
        layer_norm_first: Pre-norm transformer with a norm at its end (large models, XLS-R).
        pos_kernel: Kernel of the positional convolution.
        pos_groups: Its groups.
        normalize: Zero mean and unit variance for each clip. XLS-R was trained with it; AMSDF and
            SSL_Anti-spoofing leave it out.
        layer: `last`, a number, `all` or `weighted`, see `encoders._layers`.
        dropout: After attention, feed-forward and positions, in training.
        attention_dropout: On attention weights.
        activation_dropout: Inside the feed-forward parts.
        input_dropout: After the projection.
        layerdrop: Share of layers skipped in training.
        front_gradient: Factor of the gradient that the convolutions get, fairseq's
            `feature_grad_mult`; 0 freezes them.
    """

    def __init__(
        self,
        *,
        hidden: int = 1024,
        layers_count: int = 24,
        heads: int = 16,
        ffn: int = 4096,
        conv_dims: Sequence[int] = (512, 512, 512, 512, 512, 512, 512),
        conv_kernels: Sequence[int] = (10, 3, 3, 3, 3, 2, 2),
        conv_strides: Sequence[int] = (5, 2, 2, 2, 2, 2, 2),
        extractor_mode: Literal["layer_norm", "default"] = "layer_norm",
        conv_bias: bool = True,
        layer_norm_first: bool = True,
        pos_kernel: int = 128,
        pos_groups: int = 16,
        normalize: bool = False,
        layer: LayerName = "last",
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        input_dropout: float = 0.0,
        layerdrop: float = 0.0,
        front_gradient: float = 1.0,
    ):
        if extractor_mode not in ("layer_norm", "default"):
            raise ValueError(
                f"extractor_mode is {extractor_mode!r}; it must be 'layer_norm' or 'default'"
            )
        if front_gradient < 0:
            raise ValueError(f"front_gradient is {front_gradient}; give 0 (frozen) or more")
        if not len(conv_dims) == len(conv_kernels) == len(conv_strides) > 0:
            raise ValueError(
                f"conv_dims, conv_kernels and conv_strides have {len(conv_dims)}, "
                f"{len(conv_kernels)} and {len(conv_strides)} entries; they must have as many"
            )
        config = Wav2Vec2Config(
            hidden_size=hidden,
            num_hidden_layers=layers_count,
            num_attention_heads=heads,
            intermediate_size=ffn,
            conv_dim=list(conv_dims),
            conv_kernel=list(conv_kernels),
            conv_stride=list(conv_strides),
            feat_extract_norm="layer" if extractor_mode == "layer_norm" else "group",
            conv_bias=conv_bias,
            do_stable_layer_norm=layer_norm_first,
            num_conv_pos_embeddings=pos_kernel,
            num_conv_pos_embedding_groups=pos_groups,
            hidden_dropout=dropout,
            attention_dropout=attention_dropout,
            activation_dropout=activation_dropout,
            feat_proj_dropout=input_dropout,
            layerdrop=layerdrop,
            apply_spec_augment=False,
            mask_time_prob=0.0,
        )
        super().__init__(Wav2Vec2Model(config), layer, normalize)
        self.model.feature_extractor.requires_grad_(front_gradient > 0)
        self.model.feature_extractor.register_forward_hook(partial(_scale_gradient, front_gradient))

    @classmethod
    def architecture_of(cls, path: Path) -> dict[str, Any]:
        """Arguments that a fairseq `.pt` file or a Hugging Face folder decides."""
        if path.is_dir():
            return _folder_architecture(path)
        settings, normalize = configuration(read_fairseq(path), path)
        return architecture(settings, normalize, path)

    def load_pretrained(self, path: Path) -> None:
        """Read a fairseq `.pt` file or a Hugging Face folder, strictly."""
        if path.is_dir():
            super().load_pretrained(path)
        else:
            self.load_fairseq(read_fairseq(path)["model"], path)

    def load_fairseq(self, state: Mapping[str, Tensor], path: Path) -> None:
        """Fill the model from weights under fairseq's names; `path` is for messages."""
        self.load_weights(self.translate_fairseq(state), path)

    @staticmethod
    def translate_fairseq(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """fairseq's names -> those of this encoder's `model`, without the pre-training parts.

        fairseq has no projection where the front is as wide as the transformer; it is the identity.
        """
        renamed = to_transformers(state)
        norm, projection = "feature_projection.layer_norm.weight", "feature_projection.projection"
        first = "encoder.layers.0.attention.q_proj.weight"
        if f"{projection}.weight" not in renamed and norm in renamed and first in renamed:
            width = len(renamed[norm])
            if width == len(renamed[first]):
                renamed[f"{projection}.weight"] = torch.eye(width)
                renamed[f"{projection}.bias"] = torch.zeros(width)
        return renamed

    @classmethod
    def from_published(
        cls, weights: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights under fairseq's names -> all of them under ours."""
        return {
            f"model.{name}": value for name, value in cls.translate_fairseq(weights).items()
        }, {}

    @classmethod
    def arguments_of(cls, sizes: Sizes) -> dict[str, Any]:
        """The architecture from weights alone.

        Models with layer norms in their front are taken as pre-norm, the others as post-norm: so
        are all that fairseq published.
        """
        hidden = sizes.of("model.encoder.layer_norm.weight")
        if hidden not in HEADS:
            raise ValueError(
                f"its speech model is {hidden} wide, which does not say how many attention heads "
                "it has; `import` it with --ssl and the file that it was made from"
            )
        front = "model.feature_extractor.conv_layers"
        num_convolutions = sizes.count(front + ".{}.conv.weight")
        if num_convolutions != len(STRIDES):
            raise ValueError(
                f"its speech model has {num_convolutions} convolutions, not {len(STRIDES)}, so "
                "their strides are unknown; `import` it with --ssl and the file that it was made "
                "from"
            )
        kernel = "model.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
        convolutions = [f"{front}.{index}.conv.weight" for index in range(num_convolutions)]
        layer_norm = f"{front}.1.layer_norm.weight" in sizes
        layer = "model.encoder.layers.{}.feed_forward.intermediate_dense.bias"
        return {
            "hidden": hidden,
            "layers_count": sizes.count(layer),
            "heads": HEADS[hidden],
            "ffn": sizes.of(layer.format(0)),
            "conv_dims": [sizes.of(weight) for weight in convolutions],
            "conv_kernels": [sizes.of(weight, 2) for weight in convolutions],
            "conv_strides": list(STRIDES),
            "extractor_mode": "layer_norm" if layer_norm else "default",
            "conv_bias": f"{front}.0.conv.bias" in sizes,
            "layer_norm_first": layer_norm,
            "pos_kernel": sizes.of(kernel, 2),
            "pos_groups": hidden // max(sizes.of(kernel, 1), 1),
        }


def _scale_gradient(factor: float, module: nn.Module, args: Any, output: Tensor) -> None:
    if output.requires_grad and factor != 1:
        output.register_hook(lambda gradient: factor * gradient)


def _folder_architecture(path: Path) -> dict[str, Any]:
    given = read_json(path / "config.json")
    if given.get("model_type") != "wav2vec2":
        raise ValueError(
            f"{path}: holds a {given.get('model_type')!r} model; 'xlsr' reads 'wav2vec2', "
            "use 'speech-model'"
        )
    config = Wav2Vec2Config.from_dict(given)
    return {
        "hidden": config.hidden_size,
        "layers_count": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "ffn": config.intermediate_size,
        "conv_dims": list(config.conv_dim),
        "conv_kernels": list(config.conv_kernel),
        "conv_strides": list(config.conv_stride),
        "extractor_mode": "layer_norm" if config.feat_extract_norm == "layer" else "default",
        "conv_bias": config.conv_bias,
        "layer_norm_first": config.do_stable_layer_norm,
        "pos_kernel": config.num_conv_pos_embeddings,
        "pos_groups": config.num_conv_pos_embedding_groups,
        "normalize": wants_normalized(path),
        "dropout": config.hidden_dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.activation_dropout,
        "input_dropout": config.feat_proj_dropout,
        "layerdrop": config.layerdrop,
    }
