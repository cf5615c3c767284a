"""What a recording says: hidden states of Whisper's decoder, one node for each token."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Self

import torch
from torch import Tensor, nn
from whisper.decoding import DecodingOptions
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

from encoders._whisper_files import VOCABULARIES
from encoders._whisper_network import Dimensions


class Transcriber(Whisper):
    """openai-whisper's model without its audio encoder.

    openai-whisper decodes greedily and without timestamps, in the language that it finds in each
    clip. Then the decoder reads the whole transcript once more, with gradients. Node k is the state
    from which token k was chosen.

    Every clip has the same number of nodes. How many tokens a clip has is known only after its
    decoding, while heads and masks need to know it from the length of the waveform. So the state
    that ends a short transcript is held until the last node.

    Args:
        dims: Sizes of the model.
        tokens: Nodes of a clip: the most tokens that are decoded.
    """

    decoder: Any

    def __init__(self, dims: Dimensions, tokens: int):
        prompt = 4  # start, language, task, no timestamps
        if not 1 <= tokens <= dims.n_text_ctx - prompt:
            raise ValueError(f"tokens is {tokens}; it must be 1 to {dims.n_text_ctx - prompt}")
        if dims.n_vocab not in VOCABULARIES:
            raise ValueError(
                f"vocabulary is {dims.n_vocab}; a transcript needs one of Whisper's own: "
                f"{', '.join(map(str, VOCABULARIES))}"
            )
        super().__init__(ModelDimensions(**{**asdict(dims), "n_audio_layer": 0}))
        del self.encoder
        del self.alignment_heads  # for timestamps; a sparse buffer stops distributed training
        nn.init.normal_(self.decoder.positional_embedding, std=0.01)  # whisper leaves it unset
        self.tokens = tokens

    def forward(self, features: Tensor) -> tuple[list[Tensor], Tensor]:
        """Audio features (B, positions, D) -> the layers' states and the final output.

        There are L + 1 states; they and the output are (B, tokens, D).
        """
        inputs, places = self._transcribe(features)
        decoder = self.decoder
        text = decoder.token_embedding(inputs) + decoder.positional_embedding[: inputs.shape[1]]

        states = [text.to(features.dtype)]
        for block in decoder.blocks:
            states.append(block(states[-1], features, mask=decoder.mask))
        final = decoder.ln(states[-1])

        index = places[..., None].expand(-1, -1, final.shape[2])
        return [state.gather(1, index) for state in states], final.gather(1, index)

    @torch.no_grad()
    def _transcribe(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder reads, (B, P + tokens - 1), and where in it the nodes are, (B, tokens).

        Tokens are chosen in float32: in half precision many are equally likely, and rounding, which
        depends on the rest of the batch, would choose.
        """
        options = DecodingOptions(
            language=None if self.is_multilingual else "en",
            sample_len=self.tokens,
            without_timestamps=True,
            fp16=False,
        )
        with torch.autocast(features.device.type, enabled=False):
            results = self.decode(features.float(), options)

        rows, places = [], []
        for result in results:
            tokenizer = get_tokenizer(
                self.is_multilingual, num_languages=self.num_languages, language=result.language
            )
            prompt, spoken = tokenizer.sot_sequence_including_notimestamps, len(result.tokens)
            filling = [tokenizer.eot] * (self.tokens - spoken)
            rows.append([*prompt, *result.tokens, *filling][:-1])
            first = len(prompt) - 1  # from its state the first token is chosen
            places.append([first + min(node, spoken) for node in range(self.tokens)])
        device = features.device
        return torch.tensor(rows, device=device), torch.tensor(places, device=device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Norms stay in float32 when weights are cast, because openai-whisper computes them so."""
        super()._apply(fn, recurse)
        for module in self.modules():
            if isinstance(module, nn.LayerNorm):
                module.float()
        return self
