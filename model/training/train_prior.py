"""Training of a prior (`model.encoders.text_prior`) on vectors that are computed once, after the towers."""

import torch
from safetensors.torch import save_file

from model.encoders.text_prior import PRIOR_FILE, TextPrior
from model.ports import Encoder
from model.training.train_clip_head import encode_examples, fit_clip_head
from model.training.training_run import TrainingRun


def train_prior(run: TrainingRun, encoder: Encoder) -> None:
    """Train a prior on the pairs of the split `train` and save it in the adapter's folder.

    Raises `TrainingCancelledError`.
    """
    pairs = [pair for pair in run.pairs if pair.split == "train"]
    examples = encode_examples(run, encoder, pairs)
    config, seed = run.config.prior, run.config.seed
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = TextPrior(encoder.frame_size, config.rank)
        fit_clip_head(prior, examples, config, seed)
    save_file(prior.state_dict(), run.adapter / PRIOR_FILE)
