"""The inputs that bad_inputs_test.py runs gaisnet with, and what each message has to name."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bad_files as files
import pytest


@dataclass
class case:
    name: str
    arguments: str | list  # After `finetune --config base.cfg`, or the whole command line for `whole`.
    words: list  # Each is in the message, whatever its case; of a tuple, one is.
    prepare: Callable | None = None  # Makes files in the case's folder; may return further arguments.
    config: str = ""  # Becomes extra.cfg, a second configuration file.
    ranks: int | None = None  # Through mpirun; None: without.
    whole: bool = False
    resumes: bool = False  # In a copy of the folder of a finished run.

    def __str__(self):
        return self.name.replace(" ", "-")


def unmarked_checkpoint(folder):
    markers = sorted(folder.rglob("DONE"))
    for marker in markers:
        marker.unlink()
    return ["--resume", str(markers[-1].parent.relative_to(folder)), "--overwrite", "on"]


def unwritable_folder(folder):
    """Root may write almost everywhere, so its folder is one of the kernel's."""
    locked = folder / "locked"
    locked.mkdir(mode=0o555)
    for candidate in (locked, Path("/sys/kernel"), Path("/proc")):
        try:
            probe = candidate / "gaisnet_probe"
            probe.touch()
            probe.unlink()
        except OSError:
            return ["--output", str(candidate / "out.h5")]
    pytest.skip("no folder found that this user may not write to")


def full_disk(free_bytes):
    """A small file system at full/ with that much room left."""

    def prepare(folder):
        target = folder / "full"
        target.mkdir()
        if os.geteuid() != 0:
            pytest.skip("only root can mount a small file system")
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "gaisnet-test", str(target)], capture_output=True, text=True
        )
        if mount.returncode != 0:
            pytest.skip(f"mounting a small file system is not permitted here ({mount.stderr.strip()})")
        room = os.statvfs(target)
        filler = room.f_bavail * room.f_frsize - free_bytes
        (target / "filler").write_bytes(b"\0" * filler)

    return prepare


def file_named(name):
    def prepare(folder):
        (folder / name).write_text("do not touch\n")

    return prepare


def folder_named(name):
    def prepare(folder):
        (folder / name).mkdir()

    return prepare


def text_file(name, content):
    return lambda folder: (folder / name).write_text(content) and None


PHOTOS = "--data.source folder --data.root photos"
WEIGHTS = "--model.weights w.safetensors"

INFER = "infer --config base.cfg --output out.h5 "

CASES = [
    # Configuration files and flags
    case("unknown key in a file", [], ["extra.cfg", "train.epoch", "train.epochs"], config="[train]\nepoch = 2\n"),
    case("unknown flag", "--train.roundz 3", ["train.roundz", "train.rounds"]),
    case("missing config file", "--config nowhere.cfg", ["nowhere.cfg"]),
    case("config file is a folder", "--config place", ["place"], prepare=folder_named("place")),
    case("config line without a value", [], ["extra.cfg"], config="[train]\nlr 0.1\n"),
    case("# inside a value of a file", [], ["extra.cfg:1", "comment"], config="output = run#1.h5\n"),
    case("unit so large that nothing is left", ["--link.d2d.rate", "1e308 Gbit/s"], ["link.d2d.rate", "large"]),
    case("folder for procedural images", "--data.root photos", ["data.root", "data.source"]),
    case("typo in the subcommand", "finetun --config base.cfg", ["finetun", "finetune"], whole=True),
    case("time_scale without the real clock", "--time-scale 2", ["time_scale", "clock = real", "virtual"]),
    case("layer that lora does not know", "--tuning.method lora --tuning.targets q,o", ["tuning.targets", "o", "proj"]),
    case("layer given to lora twice", ["--tuning.targets", "q, q"], ["tuning.targets", "q", "once"]),
    case("a rank that is no whole number", "--tuning.method lora --tuning.rank 2.5", ["tuning.rank", "whole number"]),
    case("a rank that may be none", ["--tuning.method", "lora", "--tuning.rank", "uniform(0, 4)"],
         ["tuning.rank", "at least 1", "choice(...)"]),
    case("an average that nobody knows", "--tuning.method lora --tuning.average mean",
         ["tuning.average", "pad, truncate, product"]),
    case("unknown tuning method", "--tuning.method promt", ["tuning.method", "promt"]),
    case("a model of texts for images", "--model.family llama --data.source folder --data.root .",
         ["data.source", "model.family = llama takes texts", "text or procedural"]),
    case("a model of images for texts", "--data.source text --data.root .",
         ["data.source", "model.family = vit takes images", "folder or procedural"]),
    case("next tokens of a model that attends to all", "--model.family bert --model.task next_token",
         ["model.task", "bert", "classification"]),
    case("more grammars than there are", "--model.family bert --data.classes 7", ["data.classes", "6"]),
    case("texts that are longer than the positions", "--model.family gpt2 --model.tokens 600",
         ["model.tokens", "model.positions"]),
    case("images to be gone on with", "infer --model.family gpt2 --infer.images .", ["infer.images", "takes texts"], whole=True),
    case("more tokens than positions", "infer --model.family gpt2 --infer.generate 500",
         ["infer.generate", "516", "model.positions = 512"], whole=True),
    case("a prompt that is longer than a sample", "infer --model.family gpt2 --infer.prompt_tokens 65",
         ["infer.prompt_tokens", "model.tokens = 64"], whole=True),
    case("next tokens of images", "pretrain --pretrain.objective next_token --output new.safetensors",
         ["pretrain.objective", "model.family = vit", "masked is accepted"], whole=True),
    case("masked tokens of a causal model", "pretrain --model.family gpt2 --pretrain.objective masked --output new.safetensors",
         ["pretrain.objective", "model.family = gpt2", "next_token is accepted"], whole=True),
    case("more grammars than are left", "pretrain --model.family gpt2 --pretrain.domains 6 --output new.safetensors",
         ["pretrain.domains = 6", "4 belong to no edge"], whole=True),
    case("a mask without masking", "pretrain --pretrain.mask 0.3 --output new.safetensors",
         ["pretrain.mask", "pretrain.objective = masked"], whole=True),
    # Who trains on what
    case("partition without its parameter", "--data.partition dirichlet", ["data.partition", "dirichlet(ALPHA)"]),
    case("more classes than there are", "--data.partition classes(9)", ["classes(9)", "classes"]),
    case("as many folders as edges", "--data.source folder --data.root a,b", ["data.root", "2 folders", "one for"]),
    case("a comma too many between folders", "--data.source folder --data.root a,,b", ["data.root", "commas"]),
    case("a stream that forgets what it senses", "--sense.mode stream --sense.rate 300",
         ["sense.rate", "sense.buffer"]),
    case("a backhaul that does not reach", ["--cloud.period", "1", "--link.backhaul.path_loss", "free_space",
                                             "--link.backhaul.min_rate", "1000 Gbit/s"],
         ["cloud cannot be reached", "backhaul"]),
    case("an edge's domain as the unseen one", "--network.edges 2 --probe.unseen 1", ["probe.unseen", "belong to edges"]),
    case("a cloud that averages never", "--cloud.period -1", ["cloud.period", "-1"]),
    case("a cache of augmented images", "--data.source folder --data.root . --cache on", ["cache", "data.augment"]),
    # The emulated network
    case("unknown path loss model", "--link.d2d.path_loss umi", ["link.d2d.path_loss", "umi", "umi_los"]),
    case("rate beside a path loss model",
         ["--link.d2d.path_loss", "umi_los", "--link.d2d.rate", "5 Mbit/s"], ["link.d2d.rate", "one of them"]),
    case("radio key without a radio", ["--link.d2d.frequency", "5 GHz"], ["link.d2d.frequency", "path_loss"]),
    case("interference without a radio", "--link.d2d.share reuse", ["link.d2d.share", "path_loss"]),
    case("chain out of reach",
         ["--link.d2d.path_loss", "pedestrian", "--network.radius", "20 km", "--network.cluster_radius", "20 km"],
         ["cannot be formed", "d2d", "km", "min_rate"]),
    case("capacity of a private link", ["--link.cs_up.capacity", "1 Gbit/s"], ["link.cs_up.capacity", "maxmin"]),
    case("everything is lost", "--link.d2d.loss 1", ["link.d2d.loss", "below 1"]),
    case("missing trace", "--link.d2d.trace nowhere.csv", ["link.d2d.trace", "nowhere.csv", "cannot be read"]),
    case("trace that ends with nothing", "--link.d2d.trace made.csv", ["made.csv", "the last rate"],
         prepare=lambda folder: (folder / "made.csv").write_text("0, 1 Mbit/s\n1, 0\n") and None),
    case("network file that is a folder", "--network.file place", ["network.file", "place", "not a file"],
         prepare=folder_named("place")),
    case("network file that is no JSON", "--network.file net.json", ["net.json", "not JSON"],
         prepare=lambda folder: (folder / "net.json").write_text("{") and None),
    case("unknown node in a network file", "--network.file net.json", ["network.file", "c7.7", "like"],
         prepare=lambda folder: (folder / "net.json").write_text('{"nodes": [{"name": "c7.7", "rate": "1 TFLOP/s"}]}')
         and None),
    case("access points without radio", "--cs.access cell_free", ["cs.access", "path_loss"]),
    case("movement without radio", "--mobility.model waypoint", ["mobility.model", "path_loss"]),
    case("positions that nobody gives", "--network.layout list", ["network.layout", "network.file"]),
    case("deadline of nothing", ["--round.wait", "0 s"], ["round.wait", "above 0"]),
    case("part above one", "--round.wait 1.5", ["round.wait", "at most 1"]),
    case("drop-out of an unknown client", "--dropout.schedule c9.9@1", ["dropout.schedule", "c9.9"]),
    case("drop-out without a round", "--dropout.schedule c0.1", ["dropout.schedule", "CLIENT@ROUND"]),
    case("drop-out after the last round", "--dropout.schedule c0.1@99", ["dropout.schedule", "99"]),
    case("more than the peak", "--device.client.efficiency 2", ["device.client.efficiency", "at most 1"]),
    case("stage that does not fit", ["--device.client.memory", "100 kB"], ["does not fit", "c0.", "device.*.memory"]),
    case("battery of an edge", "--network.file net.json", ["edge0", "battery"],
         prepare=lambda folder: (folder / "net.json").write_text('{"nodes": [{"name": "edge0", "battery": "1 J"}]}')
         and None),
    # Numbers and units
    case("unit typo", ["--link.d2d.rate", "50 Mbps"], ["link.d2d.rate", "Mbps", "Mbit/s"]),
    case("missing unit", "--link.d2d.rate 50", ["link.d2d.rate", "50", "bit/s"]),
    case("unit of another quantity", ["--link.d2d.latency", "5 MHz"], ["link.d2d.latency", "MHz"]),
    case("negative rate", [], ["link.d2d.rate", "-5"], config="[link.d2d]\nrate = -5 Mbit/s\n"),
    case("zero rate", ["--link.cs_up.rate", "0 Mbit/s"], ["link.cs_up.rate", "0"]),
    case("distribution upside down", ["--device.client.rate", "uniform(2, 0.2) TFLOP/s"], ["device.client.rate"]),
    case("learning rate nan", "--train.lr nan", ["train.lr", "nan"]),
    case("negative seed", "--seed=-1", ["seed", "-1"]),
    case("batch 0", "--train.batch 0", ["train.batch", "0"]),
    case("rounds with a letter", "--train.rounds 1O", ["train.rounds", "1O"]),
    case("rounds beyond an integer", "--train.rounds 99999999999999999999", ["train.rounds", "99999999999999999999"]),
    case("more micro-batches than samples", "--train.batch 4 --train.micro_batches 8", ["micro_batches", "8", "4"]),
    case("unknown metric of plateau", ["--train.stop", "plateau(speed, 0.1, 2)"], ["train.stop", "speed"]),
    case("unknown schedule", "--train.schedule gpip", ["train.schedule", "gpip", "gpipe"]),
    # Model, network and split
    case("image not divisible by patch", "--model.image 30", ["model.image", "30", "8"]),
    case("dim not divisible by heads", "--model.heads 3", ["model.heads", "3", "32"]),
    case("unknown preset", "--model.preset vit_tny", ["model.preset", "vit_tny", "vit_tiny"]),
    case("no cluster", "--network.clusters 0", ["network.clusters", "0"]),
    case("clients of 3 clusters for 2", "--network.clusters 2 --network.clients 2,3,4", ["network.clients", "2", "3"]),
    case("split with a wrong sum", "--split.blocks 1,2", ["split.blocks", "3", "2"]),
    case("split of a wrong length", "--split.blocks 1,1,0", ["split.blocks", "3", "2"]),
    case("edge stage beyond the chain", "--cluster.edge_stage 7", ["cluster.edge_stage", "7"]),
    case("edge stage before the start point", "--cluster.edge_stage 1", ["cluster.edge_stage", "1"]),
    case("more ranks than nodes", [], ["9", ("3", "4")], ranks=9),
    # Devices and jobs
    case("unknown device", "--device tpu", ["device", "tpu", "auto, cpu, cuda"]),
    case("no GPU", "--device cuda", ["device = cuda", "no GPU", "rank 0", "device = cpu"]),
    case("no GPU, found by two ranks", "--device cuda", ["no GPU", "rank 0", "rank 1"], ranks=2),
    case("tf32 on a CPU", "--device cpu --precision tf32", ["precision", "tf32", "fp32 and bf16"]),
    case("tf32 without a GPU", "--precision tf32", ["precision = tf32", "no GPU", "fp32 and bf16"]),
    case("unknown precision", "--precision fp16", ["precision", "fp16", "bf16"]),
    case("pre-training on a GPU", "pretrain --config base.cfg --device cuda", ["pretrain", "device = cpu"], whole=True),
    case("more computers than ranks", "--job.nodes 4 --job.ranks 2", ["job.nodes", "job.ranks = 2"]),
    case("time of a job without a unit", "--job.time 30", ["job.time", "min"]),
    case("more ranks of a job than nodes", "--dry-run --job.ranks 99", ["99", "ranks"]),
    # Weights
    case("weights missing", "--model.weights nowhere.safetensors", ["nowhere.safetensors"]),
    case("weights truncated", WEIGHTS, ["w.safetensors"], prepare=files.truncated_weights),
    case("weights empty", WEIGHTS, ["w.safetensors"], prepare=files.empty_weights),
    case("weights not safetensors", WEIGHTS, ["w.safetensors"], prepare=files.text_as_weights),
    case("weights with an endless header", WEIGHTS, ["w.safetensors", "header"], prepare=files.endless_header_weights),
    case("weights overlap", WEIGHTS, ["w.safetensors", "norm.bias", "overlap"], prepare=files.overlapping_weights),
    case("weights outside of the file", WEIGHTS, ["w.safetensors", "norm.bias"], prepare=files.outside_weights),
    case("weights of a wrong type", WEIGHTS, ["w.safetensors", "norm.bias", "I32"], prepare=files.wrong_type_weights),
    case(
        "weights of a wrong shape",
        WEIGHTS,
        ["w.safetensors", "blocks.0.attn.qkv.weight", "40", "32"],
        prepare=files.wrong_shape_weights,
    ),
    case(
        "weights lack a tensor",
        WEIGHTS,
        ["w.safetensors", "blocks.1.mlp.fc2.bias"],
        prepare=files.missing_tensor_weights,
    ),
    case(
        "weights have an unknown tensor",
        WEIGHTS,
        ["w.safetensors", "blocks.0.attn.gate.weight"],
        prepare=files.unknown_tensor_weights,
    ),
    case("weights missing, found by two ranks", "--model.weights nowhere.safetensors", ["nowhere"], ranks=2),
    # Data
    case("data root missing", "--data.source folder --data.root nowhere", ["data.root", "nowhere"]),
    case("data root without classes", PHOTOS, ["photos", "class"], prepare=files.photos_without_classes),
    case("class without images", PHOTOS, ["photos", "tulip"], prepare=files.class_without_photos),
    case("all images damaged", PHOTOS, ["photos", ("damaged", "no image")], prepare=files.only_damaged_photos),
    case("one damaged, fatal", PHOTOS + " --data.damaged fatal", ["cut_short.png"], prepare=files.one_damaged_photo),
    case("per_cluster too large", "--data.per_cluster 1000", ["data.per_cluster", "1000"]),
    case("train_fraction above one", "--data.train_fraction 1.5", ["data.train_fraction", "1.5"]),
    # Output and resume
    case("folder of the output below a file", "--output file/sub/out.h5", ["file/sub"], prepare=file_named("file")),
    case("output exists", [], ["out.h5", "overwrite"], prepare=file_named("out.h5")),
    case("output is a folder", "--output place --overwrite on", ["place"], prepare=folder_named("place")),
    case("unwritable folder", [], ["out.h5"], prepare=unwritable_folder),
    case("disk full at the start", "--output full/out.h5", ["full/", "space"], prepare=full_disk(0)),
    case("disk full soon", "--output full/out.h5", ["full/", "space"], prepare=full_disk(16384)),
    case(
        "tuned modules would replace the weights",
        WEIGHTS + " --output w.h5 --overwrite on",
        ["w.safetensors", "model.weights"],
        prepare=files.good_weights,
    ),
    case("tuned modules would replace a file", [], ["out.safetensors"], prepare=file_named("out.safetensors")),
    case("dry run with missing weights", "--dry-run --model.weights nowhere.safetensors", ["nowhere.safetensors"]),
    case("dry run with an output that exists", "--dry-run", ["out.h5", "overwrite"], prepare=file_named("out.h5")),
    # Schemes
    case("an edge stage with another scheme", "--scheme fl --cluster.edge_stage 2", ["cluster.edge_stage", "scheme = fl"]),
    case("a repair where there is no chain", "--scheme splitfed --dropout.policy repair", ["dropout.policy", "splitfed"]),
    case("too many counts of blocks for a scheme", "--scheme splitfed --split.blocks 0,1,0,1", ["split.blocks", "2 stages"]),
    case("labels that stay while samples leave", "--scheme centralised --train.labels local", ["train.labels"]),
    case("batteries with an edge alone", ["--scheme", "centralised", "--device.client.battery", "50 mJ"],
         ["device.client.battery", "centralised"]),
    case("a deadline with an edge alone", ["--scheme", "centralised", "--round.wait", "50 ms"],
         ["round.wait", "centralised"]),
    case("requests to an edge alone", INFER + "--scheme centralised", ["scheme", "centralised"], whole=True),
    # Inference
    case("modules that do not exist", INFER + "--infer.modules nowhere.safetensors", ["infer.modules", "nowhere.safetensors"],
         whole=True),
    case("modules that are no safetensors", INFER + "--infer.modules base.cfg", ["infer.modules", "base.cfg"], whole=True),
    case("weights in place of modules", INFER + "--infer.modules w.safetensors", ["infer.modules", "tuned modules"],
         prepare=files.good_weights, whole=True),
    case("two files of modules for one edge", INFER + "--infer.modules a,b", ["infer.modules", "2 files"], whole=True),
    case("the model of an edge without modules", INFER + "--infer.model 0", ["infer.model", "infer.modules"], whole=True),
    case("the model of an edge that is not there", INFER + "--network.edges 2 --infer.model 5", ["infer.model", "5"],
         whole=True),
    case("no folder to classify", INFER + "--infer.images nowhere", ["infer.images", "nowhere"], whole=True),
    case("an empty folder to classify", INFER + "--infer.images place", ["infer.images", "place"],
         prepare=folder_named("place"), whole=True),
    case("a trace of requests without its file", INFER + "--infer.arrivals trace", ["infer.trace", "file"], whole=True),
    case("a trace of requests that goes back", INFER + "--infer.arrivals trace --infer.trace t.csv",
         ["infer.trace", "t.csv:2", "ascending"], prepare=text_file("t.csv", "2\n1\n"), whole=True),
    case("a trace of requests of nobody", INFER + "--infer.arrivals trace --infer.trace t.csv", ["infer.trace", "c9.9"],
         prepare=text_file("t.csv", "c9.9, 1\n"), whole=True),
    case("images and a trace", INFER + "--infer.images place --infer.arrivals trace --infer.trace t.csv", ["infer.images"],
         prepare=text_file("t.csv", "1\n"), whole=True),
    case("answers in place of weights", INFER + "--model.weights w.safetensors --output w.safetensors --overwrite on",
         ["output", "model.weights"], prepare=files.good_weights, whole=True),
    case("predictions in place of a file", INFER, ["out.predictions.csv", "overwrite"],
         prepare=file_named("out.predictions.csv"), whole=True),
    case("requests that take too long", INFER + "--infer.rate 1e-9", ["116 days"], whole=True),
    case("resume from no checkpoint", "--resume place", ["place", "checkpoint"], prepare=folder_named("place")),
    case("resume from nowhere", "--resume nowhere", ["nowhere"]),
    case("resume another seed", "--resume auto --seed 2", ["seed", "checkpoint"], resumes=True),
    case("resume another model", "--resume auto --model.dim 64", ["model.dim", "checkpoint"], resumes=True),
    case("resume an unfinished checkpoint", [], [("DONE", "complete")], prepare=unmarked_checkpoint,
         resumes=True),
]

CONTROLS = [
    case("the base settings", [], []),
    case("a good weights file", WEIGHTS, [], prepare=files.good_weights),
    case("a damaged image is named and skipped", PHOTOS, ["cut_short.png"], prepare=files.one_damaged_photo),
]
