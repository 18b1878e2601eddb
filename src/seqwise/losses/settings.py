"""The configuration section `imbalance`: how rare classes are treated."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Loss = Literal["cross_entropy", "focal", "asymmetric", "class_balanced", "logit_adjusted", "ldam", "balanced_softmax"]
Sampler = Literal["instance", "oversample", "undersample", "square_root", "class_balanced", "progressive"]
Synthetic = Literal["smote", "borderline_smote", "adasyn"]

LOSSES: tuple[Loss, ...] = get_args(Loss)
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

LOSS_PARAMETERS: dict[Loss, dict[str, float]] = {
    "cross_entropy": {},
    "focal": {"gamma": 2.0},
    "asymmetric": {"gamma_pos": 0.0, "gamma_neg": 4.0, "margin": 0.05},
    "class_balanced": {"beta": 0.999, "gamma": 0.0},
    "logit_adjusted": {"tau": 1.0},
    "ldam": {"margin": 0.5, "beta": 0.9999, "deferred": 0.8},
    "balanced_softmax": {},
}
"""The parameters of each loss, with the values that it has where nobody sets them."""

BALANCED_BY_COUNTS: tuple[Loss, ...] = ("class_balanced", "logit_adjusted", "balanced_softmax")
"""The losses that balance the classes by their counts, so that class weights and samplers must not."""


def _by_name(weights: Any) -> Any:
    """Labels of any type are named by their text, as in a model folder."""
    return {str(label): weight for label, weight in weights.items()} if isinstance(weights, dict) else weights


ClassWeight = Annotated[Literal["balanced"] | dict[str, float] | None, BeforeValidator(_by_name)]


class ImbalanceSettings(BaseModel):
    """How rare classes are treated: in the loss, in what each epoch is drawn from, and in the decisions.

    A parameter of the loss that is None has the loss's own value, see `LOSS_PARAMETERS`; one that the loss does not have
    must stay None.

    Attributes:
        class_weight: None weighs every class alike; "balanced" gives class j of K the weight n / (K n_j), and of labels that
            may hold together each one the weights n / (2 n_j) where it holds and n / (2 (n - n_j)) where not; a mapping
            names weights by class, or of labels where they hold (what it leaves out weighs 1). With `ldam` these are the
            weights that come in late. Not for losses that balance by counts themselves, see `BALANCED_BY_COUNTS`.
        label_smoothing: share of the target probability that is spread over all classes.
        prior_correction: tau of a correction after training: tau log(class share) is subtracted from the logits, so that
            rare classes are chosen more often (Menon et al. 2021, section 4.1). 0 leaves the decisions as trained.
        loss: which loss is minimised, see the functions of `seqwise.losses`.
        gamma: of `focal`, and of `class_balanced` over it: how little easy examples count.
        gamma_pos: of `asymmetric`: the same for the labels that an example has.
        gamma_neg: of `asymmetric`: the same for those that it has not.
        margin: of `asymmetric`: probability below which a label that is absent costs nothing, below 1; of `ldam`: the
            distance in logits that the rarest class keeps.
        beta: of `class_balanced`, and of the weights of `ldam`: how fast further examples of a class stop being news.
        tau: of `logit_adjusted`: how much of the log class shares is added to the logits in training.
        deferred: of `ldam`: share of the training after which its class weights come in; 1 for never.
        sampler: what each epoch is drawn from, see `seqwise.data.make_sampler`.
        synthetic: which synthetic examples of rare classes are added to training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    class_weight: ClassWeight = None
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    prior_correction: float = Field(default=0.0, ge=0.0, le=2.0)
    loss: Loss = "cross_entropy"
    gamma: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    gamma_pos: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    gamma_neg: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    margin: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    beta: float | None = Field(default=None, ge=0.0, lt=1.0)
    tau: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    deferred: float | None = Field(default=None, ge=0.0, le=1.0)
    sampler: Sampler = "instance"
    synthetic: Synthetic | None = None

    @model_validator(mode="after")
    def _parameters_belong_to_the_loss(self) -> Self:
        known = LOSS_PARAMETERS[self.loss]
        for name in sorted({name for parameters in LOSS_PARAMETERS.values() for name in parameters}):
            if getattr(self, name) is not None and name not in known:
                owners = ", ".join(loss for loss, parameters in LOSS_PARAMETERS.items() if name in parameters)
                raise ValueError(f"{name} is no parameter of the loss {self.loss}; it belongs to {owners}")
        if self.class_weight is not None and self.loss in BALANCED_BY_COUNTS:
            raise ValueError(f"the loss {self.loss} balances the classes itself; class_weight would do it twice")
        if self.sampler != "instance" and self.loss in BALANCED_BY_COUNTS:
            raise ValueError(
                f"the loss {self.loss} balances the classes itself; the sampler {self.sampler} would do it twice"
            )
        if self.loss == "asymmetric" and self.margin is not None and self.margin >= 1:
            raise ValueError(f"margin of the asymmetric loss is a probability below 1, got {self.margin:g}")
        return self

    def loss_parameters(self) -> dict[str, float]:
        """Return the parameters of the loss by name: what was set, and the loss's own values for the rest."""
        set_here = {name: getattr(self, name) for name in LOSS_PARAMETERS[self.loss]}
        own = LOSS_PARAMETERS[self.loss]
        return {name: own[name] if value is None else value for name, value in set_here.items()}
