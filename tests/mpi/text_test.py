"""Models of texts as a user runs them: tuned on folders and on drawn sentences, the same on any number of ranks, resumed,
and asked to write."""

import json
import math
import signal

import pytest
from support.files import same_bytes
from support.processes import wait_until
from support.results import assert_same_tuning, checkpoints, differences, status, table, text

h5py = pytest.importorskip("h5py")

SIZES = ("--model.vocabulary", 96, "--model.tokens", 32, "--model.positions", 80, "--model.dim", 32, "--model.depth", 2,
         "--model.heads", 4)
SMALL = ("--network.clusters", 2, "--network.clients", 3, "--train.optimizer", "adamw", "--train.lr",
         0.003, "--train.rounds", 2, "--progress", "none", "--overwrite", "on", "--log_level", "error")
DRAWN = ("--data.samples", 400)
BERT = ("--model.family", "bert", *SIZES)
GPT2 = ("--model.family", "gpt2", *SIZES)
END = 1  # the number of the token that ends a sentence of the grammars
LLAMA = ("--model.family", "llama", *SIZES, "--model.kv_heads", 2)


@pytest.fixture(scope="module")
def finetune(gaisnet):
    return gaisnet.bind("finetune", *SMALL)


@pytest.fixture(scope="module")
def drawn(finetune):
    """On sentences of grammars."""
    return finetune.bind(*DRAWN)


@pytest.fixture(scope="module")
def tuned(drawn, tmp_path_factory):
    """A small decoder that has learnt a grammar."""
    output = tmp_path_factory.mktemp("tuned") / "run.h5"
    done = drawn(*GPT2, "--tuning.method", "full", "--train.rounds", 4, "--output", output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.parametrize("model", [BERT, (*GPT2, "--model.task", "classification"), GPT2, LLAMA],
                         ids=["bert-classes", "gpt2-classes", "gpt2", "llama"])
def test_any_ranks_give_the_same_modules(drawn, tmp_path, model):
    for ranks in (1, 3):
        done = drawn(*model, "--tuning.method", "prefix", "--train.schedule", "1f1b", "--train.micro_batches", 2, "--placement",
                        "node" if ranks > 1 else "cluster", "--output", tmp_path / f"{ranks}.h5", ranks=ranks)
        assert done.returncode == 0, done.stderr
    assert_same_tuning(tmp_path / "1.h5", tmp_path / "3.h5")


class TestRows:
    def test_perplexity_and_bits_follow_from_the_loss(self, tuned):
        with h5py.File(tuned) as file:
            for row in file["rounds"][:]:
                assert row["perplexity"] == pytest.approx(math.exp(row["loss"]))
                # 0.06 to 0.5 tokens a byte: words of one letter to a dozen, with a space or an end each.
                assert 0.06 < row["bits_per_byte"] / (row["loss"] / math.log(2)) < 0.5
            losses = file["rounds"]["loss"]
        assert losses[-1] < losses[0] < math.log(96), "it learns"

    def test_classes_have_no_such_columns(self, drawn, tmp_path):
        done = drawn(*BERT, "--data.classes", 3, "--train.rounds", 1, "--output", tmp_path / "classes.h5")
        assert done.returncode == 0, done.stderr
        with h5py.File(tmp_path / "classes.h5") as file:
            assert "perplexity" not in file["rounds"].dtype.names

    def test_every_model_is_judged_on_every_domain(self, drawn, tmp_path):
        done = drawn(*LLAMA, "--network.edges", 2, "--cloud.period", 1, "--tuning.method", "full", "--output",
                        tmp_path / "edges.h5")
        assert done.returncode == 0, done.stderr
        assert "Perplexity by domain" in done.stdout
        rows = table(tmp_path / "edges.h5", "accuracy_by_domain")
        assert {(text(row["model"]), text(row["domain"])) for row in rows} >= {
            (model, f"domain {domain}") for model in ("untuned", "cloud", "edge0", "edge1") for domain in (0, 1, 2)}
        assert all(row["perplexity"] == pytest.approx(math.exp(row["loss"])) for row in rows)


class TestFolders:
    @pytest.fixture(scope="class")
    def letters(self, tmp_path_factory):
        """Two languages of letters, and a tokenizer whose tokens are their words."""
        folder = tmp_path_factory.mktemp("letters")
        words = [f"{a}{b}" for a in "abcd" for b in "xyzw"]
        for number, language in enumerate(("first", "second")):
            texts = [" ".join(words[(8 * number + 7 * i + j) % 12 + 4 * number] for j in range(12)) for i in range(40)]
            (folder / "texts").mkdir(exist_ok=True)
            (folder / "texts" / f"{language}.txt").write_text("\n\n".join(texts))
        vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, **{word: 4 + i for i, word in enumerate(words)}}
        special = [{"id": i, "content": name, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
                    "normalized": False} for name, i in list(vocabulary.items())[:4]]
        (folder / "tokenizer.json").write_text(json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
            "pre_tokenizer": {"type": "Whitespace"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": vocabulary}}))
        return folder

    def arguments(self, letters):
        return ("--data.source", "text", "--data.root", letters / "texts", "--data.tokenizer", letters / "tokenizer.json",
                "--model.tokens", 16)

    def test_classes_are_files(self, finetune, letters, tmp_path):
        done = finetune(*BERT, *self.arguments(letters), "--output", tmp_path / "run.h5",
                        "--tuning.method", "full", "--train.rounds", 8)
        assert done.returncode == 0, done.stderr
        names = {text(row["class"]) for row in table(tmp_path / "run.h5", "topology/samples")}
        assert names == {"first", "second"}
        assert table(tmp_path / "run.h5", "rounds")[-1]["accuracy"] > 0.9

    def test_next_tokens_of_a_folder(self, finetune, letters, tmp_path):
        done = finetune(*GPT2, *self.arguments(letters), "--output", tmp_path / "run.h5", "--tuning.method", "full",
                        "--train.rounds", 3)
        assert done.returncode == 0, done.stderr
        rows = table(tmp_path / "run.h5", "rounds")
        assert rows[-1]["loss"] < rows[0]["loss"]

    def test_other_texts_under_the_same_names_are_not_gone_on_with(self, finetune, letters, tmp_path):
        (tmp_path / "texts").mkdir()
        for file in (letters / "texts").iterdir():
            (tmp_path / "texts" / file.name).write_bytes(file.read_bytes())
        given = (*BERT, *self.arguments(letters), "--data.root", tmp_path / "texts", "--output", tmp_path / "run.h5",
                 "--overwrite", "off", "--resume", "auto")
        assert finetune(*given, "--train.rounds", 1).returncode == 0
        changed = tmp_path / "texts" / "first.txt"
        changed.write_text(changed.read_text().replace("ax", "bx"))
        done = finetune(*given, "--train.rounds", 1)
        assert done.returncode == 2 and "the content of samples has changed" in done.stderr, done.stderr

    def test_predictions_do_not_go_over_prompts(self, gaisnet, tmp_path):
        (tmp_path / "some.predictions.jsonl").write_text('{"text": "the red"}\n')
        done = gaisnet("infer", *GPT2, *DRAWN, "--infer.prompts", tmp_path, "--output", tmp_path / "some.h5", "--overwrite", "on")
        assert done.returncode == 2
        assert "is a text in infer.prompts" in done.stderr, done.stderr

    def test_a_text_a_file(self, finetune, letters, tmp_path):
        for number in range(30):
            (tmp_path / f"{number}.txt").write_text("ax ay az aw bx by bz bw " * 8)
        done = finetune(*GPT2, *self.arguments(letters), "--data.root", tmp_path, "--data.text_unit", "file", "--output",
                        tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr

    def test_folders_of_equal_names_are_domains_of_their_own(self, finetune, letters, tmp_path):
        for domain in ("one", "two"):
            (tmp_path / domain / "train").mkdir(parents=True)
            (tmp_path / domain / "train" / "all.txt").write_bytes((letters / "texts" / "first.txt").read_bytes())
        roots = f"{tmp_path}/one/train,{tmp_path}/two/train"
        done = finetune(*GPT2, *self.arguments(letters), "--data.root", roots, "--network.edges", 2, "--output",
                        tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr
        rows = table(tmp_path / "run.h5", "accuracy_by_domain")
        assert {text(row["domain"]) for row in rows} == {"one/train", "two/train"}

    def test_the_tokenizer_is_not_written_over(self, finetune, letters, tmp_path):
        copy = tmp_path / "tokenizer.json"
        copy.write_bytes((letters / "tokenizer.json").read_bytes())
        for given in (copy, tmp_path):
            done = finetune(*GPT2, *self.arguments(letters), "--data.tokenizer", given, "--output", copy)
            assert done.returncode == 2 and "data.tokenizer" in done.stderr, done.stderr
        assert copy.read_bytes() == (letters / "tokenizer.json").read_bytes()

    @pytest.mark.parametrize("change, words", [
        (("--data.label_noise", 0.2), ["data.label_noise", "token_noise"]),
        (("--tuning.method", "none"), ["tuning.method", "nothing is tuned"]),
        (("--data.tokenizer", "nowhere"), ["data.tokenizer", "nowhere"]),
        (("--data.tokenizer", "auto"), ["data.tokenizer", "tokenizer.json"]),
        (("--model.vocabulary", 10), ["data.tokenizer", "20 tokens", "model.vocabulary = 10"]),
        (("--data.source", "folder"), ["data.source", "takes texts"]),
        (("--data.root", "nowhere"), ["data.root", "nowhere"]),
    ])
    def test_what_cannot_be_used_is_named(self, finetune, letters, tmp_path, change, words):
        done = finetune(*GPT2, *self.arguments(letters), *change, "--output", tmp_path / "run.h5")
        assert done.returncode == 2
        assert all(word in done.stderr for word in words), done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_bytes_that_are_no_text_are_named_with_their_line(self, finetune, letters, tmp_path):
        (tmp_path / "bad").mkdir()
        for name in ("first.txt", "second.txt"):
            (tmp_path / "bad" / name).write_bytes((letters / "texts" / name).read_bytes())
        with open(tmp_path / "bad" / "second.txt", "ab") as file:
            file.write(b"\n\nax \xff ay\n\nbx by\n")
        given = (*GPT2, *self.arguments(letters), "--data.root", tmp_path / "bad", "--output", tmp_path / "run.h5")
        done = finetune(*given)
        assert done.returncode == 2
        assert "second.txt" in done.stderr and "81" in done.stderr, done.stderr
        done = finetune(*given, "--data.invalid_text", "replace", "--train.rounds", 1)
        assert done.returncode == 0, done.stderr


class TestWriting:
    @pytest.fixture(scope="class")
    def infer(self, gaisnet, tuned):
        return gaisnet.bind("infer", *GPT2, *DRAWN, *SMALL[:4], "--infer.modules", tuned.with_suffix(".safetensors"), "--progress",
                            "none", "--overwrite", "on", "--log_level", "error", "--infer.requests", 6,
                            "--infer.prompt_tokens", 5, "--infer.generate", 20)

    @pytest.fixture(scope="class")
    def written(self, infer, tmp_path_factory):
        output = tmp_path_factory.mktemp("written") / "texts.h5"
        done = infer("--output", output)
        assert done.returncode == 0, done.stderr
        return output

    @staticmethod
    def lines(output):
        return [json.loads(line) for line in output.with_suffix(".predictions.jsonl").read_text().splitlines()]

    def test_texts_go_on_with_words_of_the_grammar(self, written):
        lines = self.lines(written)
        assert len(lines) == 12
        words = {word for line in lines for word in line["text"].split()}
        assert {"the", "near", "stays"} <= words, "of the sentences of the first grammar"
        assert not words & {"says", "repeats", "sells", "by", "about", "("}, "of others"

    def test_tables_agree_with_each_other(self, written):
        requests, tokens = table(written, "inference"), table(written, "tokens")
        assert sum(row["tokens"] for row in requests) == len(tokens)
        ended = [row["tokens"] < 20 for row in requests]
        assert any(ended) and not all(ended), "some sentences end within 20 words"
        for row in requests:
            own = [one for one in tokens if (one["cluster"], one["request"]) == (row["cluster"], row["request"])]
            assert [one["token"] for one in own] == list(range(row["tokens"]))
            assert own[0]["latency_s"] == pytest.approx(row["first_token_s"])
            assert sum(one["latency_s"] for one in own) == pytest.approx(row["latency_s"])
            ends = [one["id"] == END for one in own]
            assert not any(ends[:-1]) and (ends[-1] or row["tokens"] == 20), "a text stops at its end, and only there"
        assert max(row["cache_bytes"] for row in table(written, "memory")) > 0

    @pytest.mark.parametrize("ranks", [2, 3])
    def test_ranks_write_the_same(self, infer, written, tmp_path, ranks):
        done = infer("--output", tmp_path / "texts.h5", "--placement", "node", ranks=ranks)
        assert done.returncode == 0, done.stderr
        assert self.lines(tmp_path / "texts.h5") == self.lines(written)
        assert not differences(tmp_path / "texts.h5", written, ("inference", "tokens", "events", "memory", "energy"))

    def test_drawn_texts_differ_and_repeat(self, infer, written, tmp_path):
        for name in ("a", "b"):
            done = infer("--output", tmp_path / f"{name}.h5", "--infer.temperature", 1)
            assert done.returncode == 0, done.stderr
        assert self.lines(tmp_path / "a.h5") == self.lines(tmp_path / "b.h5")
        assert [line["text"] for line in self.lines(tmp_path / "a.h5")] != [line["text"] for line in self.lines(written)]

    def test_a_forecast_has_the_ledger_of_texts_of_full_length(self, infer, tmp_path):
        done = infer("--output", tmp_path / "run.h5", "--infer.until", "length")
        assert done.returncode == 0, done.stderr
        planned = infer("--dry-run", "--infer.until", "length")
        assert planned.returncode == 0, planned.stderr
        for figure in ("first token", "a further token", "keys and values", "energy a token"):
            line = next(line for line in done.stdout.splitlines() if line.strip().startswith(figure))
            assert line in planned.stdout

    def test_prompts_of_ones_own(self, infer, tmp_path):
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "some.txt").write_text("the red\n\nthe old cat near\n\nthe\n")
        done = infer("--output", tmp_path / "run.h5", "--infer.prompts", tmp_path / "prompts", "--infer.requests", 100)
        assert done.returncode == 0, done.stderr
        assert sorted(line["prompt"] for line in self.lines(tmp_path / "run.h5")) == ["the", "the old cat near", "the red"]

    def test_a_stopped_session_goes_on_to_the_same_texts(self, infer, written, tmp_path):
        output = tmp_path / "texts.h5"
        more = ("--output", output, "--infer.requests", 600, "--checkpoint.every", 1, "--checkpoint.part", "50 ms")
        with infer.start(*more) as process:
            wait_until(lambda: checkpoints(output) or process.poll() is not None, step=0.01)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 75
        assert status(output) != "complete"
        done = infer(*more, "--resume", "auto")
        assert done.returncode == 0, done.stderr
        whole = infer("--output", tmp_path / "whole.h5", "--infer.requests", 600)
        assert whole.returncode == 0, whole.stderr
        assert self.lines(output) == self.lines(tmp_path / "whole.h5")


class TestPreTraining:
    PRETRAIN = ("--pretrain.samples", 150, "--pretrain.epochs", 3, "--pretrain.batch", 16, "--progress", "none", "--overwrite",
                "on")

    @pytest.mark.parametrize("model", [GPT2, LLAMA, BERT], ids=["gpt2", "llama", "bert"])
    def test_it_is_the_same_on_two_ranks_and_a_better_beginning(self, gaisnet, drawn, tmp_path, model):
        for ranks in (1, 2):
            done = gaisnet("pretrain", *model, *self.PRETRAIN, "--output", tmp_path / f"{ranks}.safetensors", ranks=ranks)
            assert done.returncode == 0, done.stderr
        assert same_bytes(tmp_path / "1.safetensors", tmp_path / "2.safetensors")
        if model == BERT:
            return
        losses = []
        for weights in ("random", tmp_path / "1.safetensors"):
            # The third grammar: the first belongs to the edge in pre-training, and the second is the unseen one.
            done = drawn(*model, "--model.weights", weights, "--data.domain", 2, "--tuning.method", "lora", "--train.lr", 1e-6,
                         "--train.rounds", 1, "--output", tmp_path / "run.h5")
            assert done.returncode == 0, done.stderr
            losses.append(table(tmp_path / "run.h5", "rounds")[0]["loss"])
        assert losses[1] < 0.9 * losses[0]


class TestSessions:
    """What is asked of infer."""

    @pytest.fixture(scope="class")
    def infer(self, gaisnet):
        return gaisnet.bind("infer", *DRAWN, "--network.clusters", 1, "--network.clients", 2, "--progress", "none", "--overwrite", "on",
                            "--log_level", "error")

    def test_an_untuned_model_has_nothing_to_deliver(self, infer, tmp_path):
        done = infer(*GPT2, "--infer.requests", 2, "--output", tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr
        assert [line.split()[2:4] for line in done.stdout.splitlines() if "CS downlink" in line] == [["0", "B"]]
        assert [line.split()[3:5] for line in done.stdout.splitlines() if "waiting for modules" in line] == [["0", "s"]]

    @pytest.mark.parametrize("model", [BERT, (*GPT2, "--model.task", "classification")], ids=["bert", "gpt2"])
    def test_prompts_mean_nothing_to_a_classifier(self, infer, tmp_path, model):
        (tmp_path / "prompts.txt").write_text("the red")
        done = infer(*model, "--infer.prompts", tmp_path, "--infer.requests", 2, "--output", tmp_path / "run.h5", "--log_level", "info")
        assert done.returncode == 0, done.stderr
        assert "infer.prompts" in done.stderr and "no effect" in done.stderr

    @pytest.mark.parametrize("ranks", [None, 2])
    @pytest.mark.parametrize("generate, accepted", [(61, True), (62, False)])
    def test_prompts_of_the_method_take_positions(self, finetune, infer, tmp_path, generate, accepted, ranks):
        prompted = ("--tuning.method", "prompt_deep", "--tuning.prompts", 5)
        done = finetune(*GPT2, *DRAWN, *prompted, "--train.rounds", 1, "--output", tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr
        # 80 positions: 5 prompts, 14 tokens of a sample, and what is generated.
        done = infer(*GPT2, "--infer.modules", tmp_path / "run.safetensors", "--infer.requests", 1, "--infer.prompt_tokens", 14,
                     "--infer.generate", generate, "--output", tmp_path / "texts.h5", ranks=ranks)
        assert done.returncode == (0 if accepted else 2), done.stderr
        assert accepted or all(words in done.stderr for words in ("infer.generate = 62", "tuning.prompts", "81", "80"))

    def test_prompts_are_checked_by_their_own_length(self, infer, tmp_path):
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "one.txt").write_text("the red")
        for generate, accepted in ((70, True), (79, False)):
            done = infer(*GPT2, "--infer.prompts", tmp_path / "prompts", "--infer.generate", generate, "--output", tmp_path / "texts.h5")
            assert done.returncode == (0 if accepted else 2), done.stderr
        assert "infer.prompts" in done.stderr and "tokens" in done.stderr

    def test_modules_know_their_task(self, infer, tuned, tmp_path):
        done = infer(*GPT2, "--model.task", "classification", "--infer.modules", tuned.with_suffix(".safetensors"), "--output",
                     tmp_path / "run.h5")
        assert done.returncode == 2 and "model.task = next_token" in done.stderr, done.stderr

    def test_a_forecast_prints_what_is_generated(self, gaisnet, infer, tmp_path):
        given = (*GPT2, *DRAWN, "--network.clusters", 1, "--network.clients", 2, "--infer.requests", 3)
        done = gaisnet("plan", "--service", "infer", *given, "--output", tmp_path / "plan.h5")
        assert done.returncode == 0, done.stderr
        run = infer(*GPT2, "--infer.requests", 3, "--infer.until", "length", "--output", tmp_path / "run.h5")
        section = [line for line in run.stdout.split("Tokens")[1].splitlines() if line.startswith("  ")][:7]
        assert "\n".join(section) in done.stdout


class TestPlans:
    def plan(self, gaisnet, output, *words):
        done = gaisnet("plan", *GPT2, *DRAWN, *SMALL[:4], "--device.client.rate", "uniform(1, 20) GFLOP/s", *words, "--json", "on",
                       "--output", output)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        return told["planned"], told["files"]["config"]

    def test_requests_take_what_was_planned(self, gaisnet, tmp_path):
        found, config = self.plan(gaisnet, tmp_path / "plan.h5", "--service", "infer", "--optimise", "split,order",
                                  "--infer.requests", 6, "--infer.generate", 12)
        done = gaisnet("infer", "--config", config, "--infer.until", "length", "--output",
                       tmp_path / "run.h5", "--progress", "none")
        assert done.returncode == 0, done.stderr
        latencies = table(tmp_path / "run.h5", "inference")["latency_s"]
        assert latencies.mean() == pytest.approx(found["latency_s"], rel=1e-9)

    def test_rounds_take_what_was_planned(self, gaisnet, tmp_path):
        found, config = self.plan(gaisnet, tmp_path / "plan.h5", "--optimise", "split,order", "--tuning.method", "lora")
        done = gaisnet("finetune", "--config", config, "--train.rounds", 2, "--output", tmp_path / "run.h5", "--progress", "none")
        assert done.returncode == 0, done.stderr
        # Samples are sensed in the first round alone.
        assert table(tmp_path / "run.h5", "rounds")[1]["latency_s"] == pytest.approx(found["latency_s"], rel=1e-9)


class TestServing:
    """Rounds of service of models that write texts."""

    SERVE = ("--network.edges", 2, "--network.clusters", 2, "--network.clients", 2, *DRAWN, "--tuning.method", "lora",
             "--train.optimizer", "adamw", "--train.lr", 0.01, "--infer.generate", 6, "--infer.prompt_tokens", 4,
             "--infer.temperature", 0.8, "--serve.regret", "off", "--progress", "none", "--overwrite", "on", "--log_level",
             "error")

    @pytest.fixture(scope="class")
    def serve(self, gaisnet):
        return gaisnet.bind("serve", *LLAMA, *self.SERVE)

    @pytest.fixture(scope="class")
    def served(self, serve, tmp_path_factory):
        output = tmp_path_factory.mktemp("served") / "run.h5"
        done = serve("--serve.rounds", 8, "--serve.demand", 3, "--serve.policy", "random", "--serve.value", "10,20",
                     "--serve.quality", "perplexity", "--output", output)
        assert done.returncode == 0, done.stderr
        return output

    def test_a_text_is_worth_what_its_model_is_at_validation(self, served):
        with h5py.File(served) as file:
            services, rounds = file["service"][:], {row["round"]: row for row in file["rounds"][:]}
        quality, seen = {}, set()
        for row in services:
            action, model = text(row["action"]), text(row["model"])
            if action == "fine_tune":
                quality[model] = 1 / rounds[row["round"]]["perplexity"]
                assert row["accuracy"] == pytest.approx(quality[model], rel=1e-9)
            elif action == "infer" and model in quality:
                assert row["right"] == pytest.approx(3 * quality[model], rel=1e-9)
                assert row["value"] == pytest.approx({"edge0": 10, "edge1": 20}[model] * row["right"], rel=1e-9)
                seen.add(model)
        assert seen, "a model answered after it was tuned"

    @pytest.mark.parametrize("waits", [False, True])
    def test_each_session_has_its_tokens(self, served, waiting, waits):
        output = waiting if waits else served
        sessions, tokens = table(output, "inference"), table(output, "tokens")
        assert len(sessions) > 0 and len(tokens) == 6 * len(sessions)
        for row in sessions:
            mine = [one for one in tokens if (one["round"], one["cluster"], one["request"]) ==
                    (row["round"], row["cluster"], row["request"])]
            assert sorted(one["token"] for one in mine) == list(range(6))
            first = next(one for one in mine if one["token"] == 0)
            assert first["latency_s"] == pytest.approx(row["first_token_s"], rel=1e-9)
            assert sum(one["latency_s"] for one in mine) == pytest.approx(row["latency_s"], rel=1e-9)

    def test_ranks_do_not_matter(self, serve, served, tmp_path):
        done = serve("--serve.rounds", 8, "--serve.demand", 3, "--serve.policy", "random", "--serve.value", "10,20",
                     "--serve.quality", "perplexity", "--output", tmp_path / "run.h5", ranks=2)
        assert done.returncode == 0, done.stderr
        for name in ("service", "inference", "tokens"):
            assert (table(served, name) == table(tmp_path / "run.h5", name)).all(), name

    def test_sessions_go_on_as_one_of_infer_would(self, gaisnet, serve, tmp_path):
        done = serve("--serve.rounds", 8, "--serve.demand", 3, "--serve.policy", "always_infer", "--output", tmp_path / "run.h5")
        assert done.returncode == 0, done.stderr
        options = [word for pair in zip(self.SERVE[::2], self.SERVE[1::2]) if not str(pair[0]).startswith(("--serve", "--train"))
                   for word in pair]
        done = gaisnet("infer", *LLAMA, *options, "--infer.requests", 6, "--infer.until", "length", "--output",
                       tmp_path / "infer.h5")
        assert done.returncode == 0, done.stderr

        def texts(path):
            told = {}
            for row in sorted(table(path, "inference"), key=lambda row: (row["round"], row["request"])):
                told.setdefault(row["cluster"], []).append((text(row["label"]), text(row["predicted"])))
            return told

        served, asked = texts(tmp_path / "run.h5"), texts(tmp_path / "infer.h5")
        assert set(served) == set(asked) and all(len(one) == 6 for one in served.values())
        assert served == asked
        assert len({answer for one in served.values() for answer in one}) > 12

    @pytest.fixture(scope="class")
    def waiting(self, serve, tmp_path_factory):
        output = tmp_path_factory.mktemp("waiting") / "run.h5"
        done = serve("--serve.rounds", 4, "--serve.arrivals", "burst", "--serve.requests", 4, "--serve.policy", "fair",
                     "--serve.quality", "perplexity", "--output", output)
        assert done.returncode == 0, done.stderr
        return output

    def test_texts_wait_for_a_round(self, waiting):
        clients, sessions = table(waiting, "service_clients"), table(waiting, "inference")
        assert list(clients["answered"]) == [4] * 4 and all(0 < row["right"] < 4 for row in clients)
        assert sum(clients["right"]) == pytest.approx(sum(table(waiting, "service")["right"]))
        assert (sessions["arrival_s"] == 0).all() and len(set(sessions["queue_s"])) > 4
