"""Three losses under the names and arguments of public anti-spoofing repositories.

`AOCloss`, `OCSoftmax` and `AMSoftmaxLoss` of Loss-Functions-Audio-Deepfake-Detection by avishai111,
for code written against them. The modules in `losses/top_level` bear the names of its files, so
that `from AOC_loss import AOCloss` works wherever this project is installed. Labels: 1 = bona fide,
0 = spoof. The older repository by the same author, which has `AOCloss` alone, calls bona fide 0:
`AOCloss(…, bonafide_label=0)`.
"""

from torch import Tensor, nn

from amsdf.contracts import BONAFIDE, SPOOF, check_labels
from losses.acs import AdaptiveCentroidShiftLoss
from losses.am_softmax import AdditiveMarginLoss
from losses.oc_softmax import OCSoftmaxLoss


class AOCloss(AdaptiveCentroidShiftLoss):
    """`acs` as `AOCloss(embedding_dim=512)`.

    Args:
        embedding_dim: Width E of the embeddings.
        bonafide_label: The label of bona fide rows, 1 or 0; the other one is spoof.
    """

    def __init__(self, embedding_dim: int = 2, bonafide_label: int = BONAFIDE) -> None:
        super().__init__(embedding_dim)
        if bonafide_label not in (BONAFIDE, SPOOF):
            raise ValueError(f"bonafide_label {bonafide_label!r} must be 1 or 0")
        self.bonafide_label = bonafide_label

    def forward(self, embeddings: Tensor, labels: Tensor, pairs: Tensor | None = None) -> Tensor:
        """(B, E), (B,) -> scalar."""
        check_labels(embeddings, labels)
        return super().forward(embeddings, labels if self.bonafide_label else 1 - labels)


class OCSoftmax(OCSoftmaxLoss):
    """`oc-softmax` as `OCSoftmax(feat_dim=512, r_real=0.9, r_fake=0.5, alpha=20.0)`.

    Args:
        feat_dim: Width E of the embeddings.
        r_real: Cosine that bona fide should exceed.
        r_fake: Cosine that spoof should stay under; the paper has 0.2.
        alpha: Steepness of both terms.
    """

    def __init__(
        self, feat_dim: int = 2, r_real: float = 0.9, r_fake: float = 0.5, alpha: float = 20.0
    ) -> None:
        super().__init__(feat_dim, r_real, r_fake, alpha)

    def inference(self, embeddings: Tensor) -> Tensor:
        """(B, E) -> cosines (B, 1), higher = bona fide."""
        return self.score(embeddings)[:, None]


class AMSoftmaxLoss(nn.Module):
    """`am-softmax` in the two documented forms, told apart by the arguments.

    `AMSoftmaxLoss(embedding_dim=512, no_classes=2, scale=30.0, margin=0.4)` gives the loss, the
    margin logits and the cosines; `AMSoftmaxLoss(in_features=512, out_features=2, s=30.0, m=0.4)`
    the loss alone.

    Args:
        embedding_dim: Width E of the embeddings, in the first form.
        no_classes: Must be 2.
        scale: Factor of the cosines.
        margin: Taken from the cosine of the true class.
        in_features: Width E of the embeddings, in the second form.
        out_features: Must be 2.
        s: Factor of the cosines, in the second form.
        m: Margin, in the second form.
    """

    def __init__(
        self,
        embedding_dim: int | None = None,
        no_classes: int = 2,
        scale: float = 30.0,
        margin: float = 0.4,
        *,
        in_features: int | None = None,
        out_features: int = 2,
        s: float = 30.0,
        m: float = 0.4,
    ) -> None:
        super().__init__()
        if (embedding_dim is None) == (in_features is None):
            raise ValueError("AMSoftmaxLoss takes either embedding_dim or in_features")
        if no_classes != 2 or out_features != 2:
            raise ValueError(
                f"AMSoftmaxLoss has two classes, spoof and bona fide; given: no_classes "
                f"{no_classes}, out_features {out_features}"
            )
        self.returns_logits = in_features is None
        if embedding_dim is not None:
            self.loss = AdditiveMarginLoss(embedding_dim, scale, margin)
        elif in_features is not None:
            self.loss = AdditiveMarginLoss(in_features, s, m)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """(B, E), (B,) -> the loss, and in the first form margin logits and cosines (B, 2)."""
        loss = self.loss(embeddings, labels)
        if not self.returns_logits:
            return loss
        logits = self.loss.logits(embeddings)
        return loss, self.loss.margin_logits(logits, labels), logits
