"""Figures and tables of the paper's case study: python3 -m analysis.paper fig6 FOLDER --profile small

Reads FOLDER/EXPERIMENT.RUN.seedN.h5, the results of jobs/paper/EXPERIMENT.sh, and nothing else; writes EXPERIMENT.png (where
matplotlib is installed) and EXPERIMENT.md, with the paper's numbers beside ours. Several seeds give means with 95 %
intervals (Student's t).
"""

import math
import pathlib

from analysis.results import ACTIVE_PARTS, UnreadableFile, numpy, open_gaisnet, parser_of, pyplot, quantity, run_tool, settings_of, text

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # 97.5 %, 1 to 9 degrees of freedom
PROFILES = {
    "small": "a ViT of 4 blocks, width 64, pre-trained on other domains of procedural images; 900 procedural images of five "
             "classes",
    "tiny": "ViT-Ti/16 (ImageNet weights) and 3,670 flower photos of five classes",
    "paper": "ViT-Base/16 and the photos that were given",
}
PAPER_SETUP = "Paper: ViT-Base/16, 3,670 flower photos, batch 10, learning rate 0.001, 10 epochs, RTX 4060"
OWN_SETUPS = {  # of experiments that are the same in every profile
    "circle": "a ViT of 4 blocks, width 64, and procedural images of five classes: three edges, each with its domain",
    "fig8": "a ViT of 4 blocks, width 64, pre-trained on other domains of procedural images; three edges, each with its domain "
            "of five classes",
}


class Runs:
    """Results of one experiment by run and seed."""

    def __init__(self, experiment, folder):
        self.files = {}
        for path in sorted(pathlib.Path(folder).glob(f"{experiment}.*.seed*.h5")):
            run, seed = path.name[len(experiment) + 1:-len(".h5")].rsplit(".seed", 1)
            self.files.setdefault(run, {})[int(seed)] = path
        if not self.files:
            raise UnreadableFile(f"'{folder}': has no results of {experiment}: jobs/paper/{experiment}.sh makes them")

    def __contains__(self, run):
        return run in self.files

    def each(self, run, read):
        """read(file) of every seed of a run, as an array [seeds, ...]."""
        if run not in self.files:
            raise UnreadableFile(f"the run {run} is missing")
        values = []
        for path in self.files[run].values():
            with open_gaisnet(path) as file:
                values.append(read(file))
        return numpy.array(values)


def interval(values):
    """Half the 95 % interval of the mean of values [seeds, ...]; 0 with one seed."""
    seeds = len(values)
    if seeds < 2:
        return numpy.zeros_like(values[0], dtype=float)
    return STUDENT[min(seeds, 10) - 2] * numpy.std(values, axis=0, ddof=1) / math.sqrt(seeds)


def figure_of(values, unit):
    """Mean over seeds with its unit, and its interval if there is one."""
    mean, half = float(values.mean()), float(interval(values))
    return quantity(mean, unit) + (f" +- {quantity(half, unit)}" if half > 1e-6 * abs(mean) else "")  # else rounding


def percent(values, index=()):
    """Mean over seeds as text, with its interval if there is one."""
    mean, half = 100 * float(values.mean(axis=0)[index]), 100 * float(numpy.asarray(interval(values))[index])
    return f"{mean:.1f} +- {half:.1f}" if half else f"{mean:.1f}"


def accuracies(file):
    """By epoch, mean over edges."""
    rounds = file["rounds"][:]
    return [rounds["accuracy"][rounds["round"] == number].mean() for number in numpy.unique(rounds["round"])]


def answered(file):
    rows = file["inference"][:]
    return (rows["label"] == rows["predicted"]).mean()


def training(runs):
    """How the models were trained, in words."""
    for files in runs.files.values():
        with open_gaisnet(next(iter(files.values()))) as file:
            given = settings_of(file)
        if given.get("command", "finetune") == "finetune" and "train.rounds" in given:
            break
    return f"batch {given['train.batch']}, learning rate {given['train.lr']}, {given['train.rounds']} epochs"


def markdown(head, rows):
    lines = ["| " + " | ".join(map(str, head)) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def band(axes, x, values, label, colour):
    mean, half = values.mean(axis=0), interval(values)
    axes.plot(x, mean, marker="o", markersize=4, color=colour, label=label)
    if numpy.any(half):
        axes.fill_between(x, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)


def fig2(runs):
    def cost(file):
        events, request = file["events"][:], file["inference"][0]
        sent = events[events["kind"] == b"send_modules_down"]
        energy = file["energy"][:]
        return [sent["bytes"].sum(), sent["airtime_hz_s"].sum(), request["latency_s"], energy["total_j"].sum(),
                sum(energy[part].sum() for part in ACTIVE_PARTS)]

    receivers = sorted({int(run.split(".")[1]) for run in runs.files if run.startswith("full.")})
    found = {delivery: [runs.each(f"{delivery}.{n}", cost) for n in receivers] for delivery in ("full", "tunable")}
    names = (("delivered", "B"), ("spectrum of the delivery", "Hz s"), ("latency of the first request", "s"), ("energy", "J"),
             ("energy, less idling", "J"))
    rows = [[n, delivery, *[figure_of(found[delivery][i][:, j], unit) for j, (_, unit) in enumerate(names)]]
            for i, n in enumerate(receivers) for delivery in found]

    def draw(plt):
        figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
        for j, (name, unit) in enumerate(names[:4]):
            part = axes.flat[j]
            for (delivery, values), colour in zip(found.items(), COLOURS):
                band(part, receivers, numpy.array([value[:, j] for value in values]).T, delivery, colour)
            part.set(xlabel="clients that hold the model", ylabel=f"{name}, {unit}", yscale="log")
        axes[0, 0].legend(frameon=False)
        return figure

    last = [found[delivery][-1].mean(axis=0) for delivery in ("full", "tunable")]
    note = (f"With {receivers[-1]} receivers a full delivery has {last[0][0] / last[1][0]:.0f} times the bytes, and the first "
            f"request takes {last[0][2] / last[1][2]:.2f} times as long. From three clients on, the first holds no more than the "
            "embedding and the last no more than the head, so that two fewer share the blocks. The paper's Fig. 2 gives no "
            "numbers.")
    return markdown(("receivers", "delivery", *[name for name, _ in names]), rows), note, draw


def fig6(runs):
    labels = {"pretrained": ("pre-trained, prompts and head", "96.8", "97.5"),
              "scratch_trained": ("random, all trained", "-", "57.0"),
              "scratch_frozen": ("random, frozen; prompts and head", "-", "-")}
    found = {run: runs.each(run, accuracies) for run in labels}
    before = runs.each("untuned", answered)
    rows = [["foundation model, untuned (class means)", percent(before), "-", "-", "-"]]
    rows += [[label, percent(found[run], (0,)), percent(found[run], (-1,)), first, last]
             for run, (label, first, last) in labels.items()]

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        for (run, values), colour in zip(found.items(), COLOURS):
            band(axes, numpy.arange(1, values.shape[1] + 1), values, labels[run][0], colour)
        axes.axhline(before.mean(), color="#888888", linestyle=":", label="foundation model, untuned")
        axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize="small")
        return figure

    epochs = found["pretrained"].shape[1]
    return (markdown(("model", "epoch 1 (untuned: before), %", f"epoch {epochs}, %", "paper, epoch 1", "paper, epoch 10"), rows),
            "The paper does not say which of the two ways without pre-training it means.", draw)


def fig7(runs):
    def figures(file):
        rounds = file["rounds"][:]
        return [numpy.median(rounds["wall_s"]), rounds["accuracy"][-1], rounds["client_flops"].mean(),
                rounds["latency_s"].mean()]

    labels = {"full": ("full", "210 s"), "prompt_deep": ("deep prompts and head", "35 s, frozen backbone"),
              "head": ("head only", "(the same bar: it does not say what is tuned)")}
    found = {run: runs.each(run, figures) for run in labels}
    means = {run: values.mean(axis=0) for run, values in found.items()}
    rows = [[label, figure_of(found[run][:, 0], "s"), f"{means['full'][0] / means[run][0]:.2f}",
             f"{means['full'][2] / means[run][2]:.2f}", figure_of(found[run][:, 3], "s"), percent(found[run][:, 1]), paper]
            for run, (label, paper) in labels.items()]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
        names = [label for label, _ in labels.values()]
        for part, j, name in ((axes[0], 0, "wall time of an epoch, s"), (axes[1], 1, "validation accuracy")):
            part.bar(names, [means[run][j] for run in labels], yerr=[interval(found[run])[j] for run in labels],
                     color=COLOURS[:3])
            part.set_ylabel(name)
            part.tick_params(axis="x", labelsize="small")
        return figure

    slower = [labels[run][0] for run in ("prompt_deep", "head") if means[run][0] > means["full"][0]]
    fastest = min(means, key=lambda run: means[run][0])
    found_order = (f"Slower here than full: {', '.join(slower)}." if slower else "Neither frozen method is slower than full.") + \
        (" Head only is the fastest." if fastest == "head" else f" The fastest is {labels[fastest][0]}.")
    return (markdown(("tuned", "wall time an epoch", "full / this", "FLOP full / this", "emulated time an epoch", "accuracy, %",
                      "paper, an epoch"), rows),
            f"Wall time includes evaluation; nothing was kept between epochs (cache = off). {found_order} The paper reports 6 "
            "times less for a frozen backbone; the work saved bounds that by the column FLOP, at most 1.5 for prompts and 3 for "
            "the head.", draw)


def table(runs, keys, head, paper, bound=None):
    """Accuracy after the first and the last epoch by a number."""
    found = {key: runs.each(key, accuracies) for key in keys}
    rows = []
    for key, values in found.items():
        number = key.rsplit(".", 1)[-1]
        first, last = paper.get(number, ("-", "-"))
        rows.append([*key.split("."), percent(values, (0,)), percent(values, (-1,)),
                     *([bound(key)] if bound else []), first, last])
    return found, markdown((*head, "first epoch, %", "last epoch, %", *(["k / 5, %"] if bound else []), "paper, first",
                            "paper, last"), rows)


def table3(runs):
    paper = {"1": ("20.0", "20.0"), "2": ("39.7", "39.7"), "3": ("57.5", "59.5"), "4": ("75.3", "76.7"), "5": ("93.3", "96.7")}
    scopes = ("union", "client")
    found, rows = table(runs, [f"{scope}.{k}" for scope in scopes for k in range(1, 6)], ("scope", "classes"), paper,
                        lambda key: f"{20 * int(key[-1])}" if key.startswith("union") else "-")

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        k = numpy.arange(1, 6)
        for scope, colour in zip(scopes, COLOURS):
            band(axes, k, numpy.array([found[f"{scope}.{n}"][:, -1] for n in k]).T, f"{scope}, last epoch", colour)
        axes.plot(k, k / 5, color="#888888", linestyle=":", label="k / 5")
        axes.plot(k, [float(paper[str(n)][1]) / 100 for n in k], "x", color="#000000", label="paper, last epoch")
        axes.set(xlabel="classes in the fine-tuning data", ylabel="validation accuracy (5 classes)", ylim=(0, 1), xticks=k)
        axes.legend(frameon=False, fontsize="small")
        return figure

    return rows, ("union: all clusters together have k of the five classes. Whoever answers with these only is right in k / 5 "
                  "of the cases at most, which the paper's numbers fit. More is luck: images unlike the classes seen may be "
                  "answered by the head's random start for one of the others, or classes have more images than others. client: "
                  "each start point has k, and together they have all."), draw


def table4(runs):
    paper = {"1": ("93.0", "95.0"), "2": ("94.0", "95.5"), "3": ("94.3", "96.0"), "4": ("95.0", "96.3"), "5": ("96.6", "97.4"),
             "6": ("96.8", "97.5")}
    found, rows = table(runs, [str(n) for n in range(1, 7)], ("clusters",), paper)

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        n = numpy.arange(1, 7)
        for which, label, colour in ((0, "first epoch", COLOURS[0]), (-1, "last epoch", COLOURS[1])):
            band(axes, n, numpy.array([found[str(m)][:, which] for m in n]).T, label, colour)
            axes.plot(n, [float(paper[str(m)][which]) / 100 for m in n], "x", color=colour)
        axes.set(xlabel="clusters, each with a sixth of the training images (x: paper)", ylabel="validation accuracy")
        axes.legend(frameon=False, fontsize="small")
        return figure

    ends = [found[str(n)][:, -1] for n in (1, 6)]
    gain, half = 100 * float((ends[1] - ends[0]).mean()), 100 * float(interval(ends[1] - ends[0]))
    return rows, (f"More clusters bring more data: from one to six {gain:+.1f}{f' +- {half:.1f}' if half else ''} points in "
                  "the last epoch, of the same seeds."), draw


def orders(last):
    """Which policy ends with how much cash, in words: by the means, over a table and over real services."""
    def order(which):
        return " above ".join(sorted(last, key=lambda policy: -last[policy][which].mean()))
    return f"Here: with the table {order(0)}; with real services {order(1)}, by the means."


def fig8(runs):
    def cash(policy):
        def read(file):
            rows = file["service"][:]
            return rows["cash"][rows["policy"] == policy.encode()]
        return read

    policies = ("mlcp", "msip", "random")
    given = {policy: runs.each("table", cash(policy)) for policy in policies}
    real = {policy: runs.each(policy, cash(policy)) for policy in policies}
    last = {policy: (given[policy][:, -1], real[policy][:, -1]) for policy in policies}

    def cash_of(values):
        half = float(interval(values))
        return f"{values.mean():.4g}" + (f" +- {half:.2g}" if half else "")

    rows = [[policy, *map(cash_of, last[policy])] for policy in policies]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for part, values, title in ((axes[0], given, "given profits and costs"), (axes[1], real, "real services")):
            for (policy, one), colour in zip(values.items(), COLOURS):
                band(part, numpy.arange(1, one.shape[1] + 1), one, policy, colour)
            part.set(xlabel="round of service", ylabel="cash", title=title)
            part.legend(frameon=False, fontsize="small")
        return figure

    with open_gaisnet(next(iter(runs.files["mlcp"].values()))) as file:
        steps = ", ".join(f"{text(row['action'])} {text(row['model'])}".strip() for row in file["service"][:])
    return (markdown(("policy", "cash at the end, table", "cash at the end, real services"), rows),
            f"The numbers are ours; the paper's Fig. 8 shows MLCP above MSIP above random, and its numbers are not legible. "
            f"{orders(last)} MLCP's services: {steps}.", draw)


def circle(runs):
    def judged(file, model, seen, number):
        """Accuracy by the classes' means after a round, mean over the domains that edges have, or have not. model None: of
        each edge's own model, on its own domain if edges have it."""
        rows = file["accuracy_by_domain"][:]
        rows = rows[(rows["method"] == b"class means") & (rows["seen"] == seen) & (rows["round"] == number)]
        if model is not None:
            return rows["accuracy"][rows["model"] == model].mean()
        rows = rows[numpy.char.startswith(rows["model"], b"edge")]
        if seen:
            domains = list(dict.fromkeys(rows["domain"]))  # in the order of the edges
            rows = rows[[domains.index(row["domain"]) == int(row["model"][len(b"edge"):]) for row in rows]]
        return rows["accuracy"].mean()

    last = int(runs.each("period1", lambda file: file["rounds"]["round"].max()).max())

    def each(run, model, seen, numbers):
        return runs.each(run, lambda file: [judged(file, model, seen, number) for number in numbers])

    own = {run: runs.each(run, accuracies) for run in ("period1", "period0", "random")}
    labels = (("foundation model, before", None, "period1", b"untuned", 0),
              (f"after {last} rounds: averaged by the cloud", "period1", "period1", b"cloud", last),
              (f"after {last} rounds: edges alone, mean", "period0", "period0", None, last),
              ("random instead of pre-trained, before", None, "random", b"untuned", 0),
              (f"... after {last} rounds: averaged by the cloud", "random", "random", b"cloud", last))
    rows = [[label, percent(own[heads], (-1,)) if heads else "-", *[percent(each(run, model, seen, [number]), (0,))
                                                                  for seen in (1, 0)]]
            for label, heads, run, model, number in labels]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        x = numpy.arange(1, last + 1)
        names = {"period1": "averaged by the cloud", "period0": "edges alone", "random": "averaged, not pre-trained"}
        for (run, name), colour in zip(names.items(), COLOURS):
            band(axes[0], x, own[run], name, colour)
        axes[0].set(title="edges' own domains, by their heads", ylabel="validation accuracy")
        for run, colour in (("period1", COLOURS[0]), ("random", COLOURS[2])):
            cloud = [each(run, b"untuned", 0, [0]), each(run, b"cloud", 0, x)]
            band(axes[1], numpy.arange(0, last + 1), numpy.concatenate(cloud, axis=1), names[run], colour)
        alone = each("period0", None, 0, [last])[:, 0]
        axes[1].errorbar([last], alone.mean(), yerr=interval(alone), fmt="s", capsize=3, color=COLOURS[1],
                         label="models of edges alone, mean")
        axes[1].set(title="a domain that no edge has, by the classes' means", ylabel="accuracy")
        for part in axes:
            part.set(xlabel="round", ylim=(0, 1))
            part.legend(frameon=False, fontsize="small", loc="center right")
        return figure

    def samples(file):
        return file["rounds"]["samples"][0]

    given = int(runs.each("period1", samples).max())
    return (markdown(("model", "edges' own domains, heads, %", "edges' own domains, class means, %",
                      "domain that no edge has, class means, %"), rows),
            f"The foundation model was pre-trained by masked image modelling, without labels, on other domains. Edges have {given} "
            "training samples each, and tune the whole model. The paper describes the circle and gives no numbers.", draw)


EXPERIMENTS = {"circle": circle, "fig2": fig2, "fig6": fig6, "fig7": fig7, "table3": table3, "table4": table4, "fig8": fig8}


def main():
    parser = parser_of("paper", __doc__.splitlines()[0])
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("folder", help="where the results of jobs/paper/EXPERIMENT.sh are")
    parser.add_argument("--profile", choices=PROFILES, default="small", help="for the caption")
    given = parser.parse_args()
    runs = Runs(given.experiment, given.folder)
    rows, note, draw = EXPERIMENTS[given.experiment](runs)
    seeds = max(len(files) for files in runs.files.values())
    over = "1 seed" if seeds == 1 else f"95 % intervals over {seeds} seeds of all but the foundation model"
    if given.experiment in OWN_SETUPS:
        setup = f"{OWN_SETUPS[given.experiment]}; {over}."
    else:
        trained = "" if given.experiment == "fig2" else f", {training(runs)}"
        setup = f"profile {given.profile} ({PROFILES[given.profile]}{trained}; {over}). {PAPER_SETUP}."
    caption = f"{given.experiment}, {setup} {note}"
    page = pathlib.Path(given.folder) / f"{given.experiment}.md"
    page.write_text(f"{rows}\n{caption}\n", encoding="utf-8")
    print(rows + "\n" + caption + f"\n\n{page}")
    try:
        plt = pyplot()
    except UnreadableFile as missing:
        print(f"no picture: {missing}")
        return
    figure = draw(plt)
    figure.savefig(page.with_suffix(".png"), dpi=120)
    plt.close(figure)
    print(page.with_suffix(".png"))


if __name__ == "__main__":
    run_tool(main)
