"""Options of networks and of their trainings: frozen, and plain values in manifests."""

from dataclasses import dataclass, fields
from typing import Any

OUTPUTS = ("tanh", "sigmoid", "identity")
SCHEDULES = ("constant", "one-cycle")


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a network is trained, whatever it is trained on.

    Attributes
    ----------
    weight_decay : float
        Added to the gradient, times the weights (Adam's L2 penalty).
    schedule, schedule_epochs
        See :func:`helpers.training.learning_rate_share`; a one-cycle schedule lasts
        ``schedule_epochs``.
    seed : int
        Of the order of the samples. The initialisation of the network is the caller's:
        :func:`helpers.training.seeded`.
    channels_last : bool
        Memory layout of images and weights; faster for most convolutions, the same results but
        for rounding.

    Raises
    ------
    ValueError
        If an option is out of range.
    """

    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    schedule: str = "constant"
    schedule_epochs: int | None = None
    seed: int = 0
    channels_last: bool = False

    def __post_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be ≥ 1, got {self.batch_size}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be 'constant' or 'one-cycle', got {self.schedule!r}")
        if self.schedule != "constant" and not self.schedule_epochs:
            raise ValueError(f"the schedule {self.schedule!r} needs schedule_epochs, its length")


@dataclass(frozen=True, kw_only=True)
class ShapeConfiguration:
    """What a :class:`helpers.irmae.ShapeAutoencoder` is made of, and how it is initialised.

    Without any option it is the plain autoencoder of the paper.

    Attributes
    ----------
    linear_layers : int
        How many square linear layers come between encoder and decoder; the paper's l.
    latent : int
        Numbers in a code.
    relu_at_code : bool
        Whether the last convolution of the encoder ends in a ReLU: as the paper says; its authors'
        code has none.
    small_kernels : bool
        Whether the convolutions on both sides of the code have kernels of 2 × 2 without padding,
        as in the authors' code. They compute the same functions as kernels of 4 × 4, of which only
        the inner four weights meet an image of 2 × 2; but PyTorch initialises them with four times
        the variance.
    bias : bool
        Whether the linear layers have one; the authors' have none.
    output : {"tanh", "sigmoid", "identity"}
        What keeps the pixels in range.
    init_gain : float
        Factor on the initial weights of the linear layers. PyTorch's are uniform, of variance
        1 / (3 · latent); √3 lets the layers keep the size of what passes through.
    code_gain : float
        Factor on the initial weights of the last convolution of the encoder, so that a network
        without linear layers can begin with as small a code as one with them.
    orthogonal : bool
        Whether the linear layers are initialised as random orthogonal matrices of the same size as
        PyTorch's. They stretch all directions alike, and so does their product.
    he_init : bool
        Whether the convolutions are initialised by :func:`helpers.irmae.he_init_`. PyTorch's own
        initialisation has a sixth of that variance in the encoder, and less around the code.

    Raises
    ------
    ValueError
        If ``linear_layers`` or ``latent`` is out of range, or ``output`` unknown.
    """

    linear_layers: int = 0
    latent: int = 32
    relu_at_code: bool = True
    small_kernels: bool = False
    bias: bool = False
    output: str = "tanh"
    init_gain: float = 1.0
    code_gain: float = 1.0
    orthogonal: bool = False
    he_init: bool = False

    def __post_init__(self):
        if self.linear_layers < 0 or self.latent < 1:
            raise ValueError(
                "linear_layers must be ≥ 0 and latent ≥ 1, "
                f"got linear_layers={self.linear_layers}, latent={self.latent}"
            )
        if self.output not in OUTPUTS:
            raise ValueError(f"output must be one of {list(OUTPUTS)}, got {self.output!r}")


def plain_values(options: TrainingOptions | ShapeConfiguration, *always: str) -> dict[str, Any]:
    """Options by name, as JSON can hold them: those named, and those that are not the default."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    defaults = {field.name: field.default for field in fields(options)}
    return {name: v for name, v in values.items() if name in always or v != defaults[name]}
