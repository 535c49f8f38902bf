"""A small run of fine-tuning, which several files test."""

import pytest

SMALL = ("--model.weights", "random", "--data.samples", 120, "--network.clusters", 2, "--network.clients", 3,
         "--train.rounds", 2, "--progress", "none", "--overwrite", "on")


@pytest.fixture(scope="session")
def finetune(gaisnet):
    """`finetune("--output", file, ranks=2)`: two rounds with two clusters of three clients."""
    return gaisnet.bind("finetune", *SMALL)


@pytest.fixture(scope="session")
def plan(gaisnet):
    """The prediction for the same scenario."""
    return gaisnet.bind("plan", *SMALL)
