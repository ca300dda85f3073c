"""The learning rate of each epoch, from the parameters alone."""

from pipeline.settings.params import Params


def milestones(params: Params) -> list[int]:
    """Epochs, counted from 0, from which the rate is lower; never 0, so that a short run also starts at lr."""
    return [max(1, round(fraction * params.epochs)) for fraction in params.lr_milestones]


def learning_rate(params: Params, epoch: int) -> float:
    """SGD's step size in `epoch`, counted from 0.

    A step schedule (He et al. 2016, section 4.2), after `warmup_epochs` epochs that rise linearly to lr.
    """
    drops = sum(epoch >= milestone for milestone in milestones(params))
    warmup = min(1.0, (epoch + 1) / (params.warmup_epochs + 1))
    return params.lr * warmup * params.lr_gamma**drops
