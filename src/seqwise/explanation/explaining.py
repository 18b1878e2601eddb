"""One door to every explanation by tokens, whatever the model."""

from __future__ import annotations

from typing import Any

from seqwise.errors import ConfigurationError, nearest
from seqwise.explanation.answers import Explanation
from seqwise.explanation.occlusion import occlusion
from seqwise.explanation.question import Question
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.predictor import Predictor
from seqwise.prediction.regressor import RegressorPredictor
from seqwise.prediction.tagger import TaggerPredictor

METHODS = ("integrated_gradients", "occlusion", "gradient_x_input")


def explain(
    predictor: Any,
    input: Any,  # noqa: A002  (what a predictor reads)
    *,
    method: str = "integrated_gradients",
    target: str | None = None,
    position: int | None = None,
    most_steps: int | None = None,
) -> Explanation:
    """Say what each token of an input contributes to an output of a model.

    What is explained is the log-odds of a class, a label or a tag: evidence, which adds up where a probability saturates; of
    two classes it is the difference of the logits. A softmax does not see what is added to all logits: the logit of one
    class would say things of the input that the answer does not depend on. Of a language model it is the log-probability,
    of a regressor the number that its network gives. All before calibration, thresholds and corrections of priors.

    Args:
        predictor: `Predictor`, `RegressorPredictor`, `TaggerPredictor`, `LanguagePredictor`, or anything with `classes` and
            `predict_proba(list of inputs)`, of which only occlusion can be asked.
        input: one of what the predictor reads: a string, a list of tokens, a mapping of columns, `Frames` of one sequence,
            an array (T, D).
        method: one of `METHODS`.
        target: class, label, tag, symbol or name of a number; None is the model's own answer.
        position: number of the token, from 0: whose tag is asked about (None: of the first that is not "O"), or which symbol
            is to come, given those before it (None: the one after the text).
        most_steps: gradients at the most; None are 1024, or fewer of inputs of more than 2,048 steps.

    Raises:
        ConfigurationError: there is no such method or target, or the model has no gradients.
        DataError: the input is not what the model reads, or has no such position.
    """
    if method not in METHODS:
        raise ConfigurationError(f"there is no method {str(method)[:60]!r}; {nearest(str(method), METHODS)}")
    question = ask(predictor, input, target, position)
    common: dict[str, Any] = {
        "text": question.text,
        "tokens": question.tokens,
        "method": method,
        "target": question.target,
        "position": question.position,
    }
    if method == "occlusion":
        covered = occlusion(question)
        return Explanation(values=covered.values, output=covered.output, baseline=covered.baseline, **common)
    if question.differentiable is None:
        raise ConfigurationError(f"the model has no gradients, which {method} needs: take the method occlusion")
    import torch

    from seqwise.explanation.gradients import gradient_x_input, integrated_gradients

    with torch.inference_mode(False):
        asked = question.differentiable()
        if method == "gradient_x_input":
            values, output = gradient_x_input(asked.output, asked.inputs)
            return Explanation(values=asked.spread(values), output=output, steps=1, **common)
        found = integrated_gradients(asked.output, asked.inputs, asked.baselines, most_steps=most_steps)
    values_of_tokens = asked.spread(found.values)
    return Explanation(
        values=values_of_tokens,
        output=found.output,
        baseline=found.baseline,
        delta=float(values_of_tokens.sum() - (found.output - found.baseline)),
        steps=found.steps,
        **common,
    )


def ask(predictor: Any, given: Any, target: str | None = None, position: int | None = None) -> Question:
    """Put a question to a model; arguments and errors are those of `explain`."""
    if isinstance(predictor, TaggerPredictor):
        from seqwise.explanation.taggers import ask_tagger

        return ask_tagger(predictor, given, target, position)
    if isinstance(predictor, LanguagePredictor):
        from seqwise.explanation.language import ask_language_model

        return ask_language_model(predictor, given, target, position)
    if position is not None:
        raise ConfigurationError("position is of taggers and language models: this model answers for the whole input")
    if isinstance(predictor, RegressorPredictor):
        from seqwise.explanation.classifiers import ask_regressor

        return ask_regressor(predictor, given, target)
    if isinstance(predictor, Predictor):
        from seqwise.explanation.classifiers import ask_classifier

        return ask_classifier(predictor, given, target)
    if hasattr(predictor, "predict_proba") and hasattr(predictor, "classes"):
        from seqwise.explanation.black_box import ask_black_box

        return ask_black_box(predictor, given, target)
    raise ConfigurationError(
        f"{type(predictor).__name__}: classifiers, taggers, language models and regressors can be explained"
    )
