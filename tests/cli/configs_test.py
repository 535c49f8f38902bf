"""The scenarios that come with the program are accepted by it."""

import pathlib

import pytest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
CONFIGS = sorted((PROJECT / "configs").rglob("*.cfg"))
# What files of users tell: folders of data, and the number of blocks of a model.
GIVEN = {
    "flowers_vit_tiny": ("--data.root", "flowers"),
    "paper/tiny": ("--data.root", "flowers"),
    "paper/paper": ("--data.root", "flowers"),
    "llm_topics": ("--data.root", "computers,songs,definitions", "--model.depth", 30),
    "llm_languages": ("--data.root", "languages", "--model.depth", 6),
}


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: str(config.relative_to(PROJECT / "configs").with_suffix("")))
def test_a_scenario_is_accepted(gaisnet, config):
    name = str(config.relative_to(PROJECT / "configs").with_suffix(""))
    done = gaisnet("finetune", "--config", config, *GIVEN.get(name, ()), "--print-config")
    assert done.returncode == 0, done.stderr
    assert f"{config.name}:" in done.stdout, "no value comes from the file"
