"""Figures and tables of the paper's case study: python3 -m analysis.paper fig6 FOLDER --profile small

Reads FOLDER/EXPERIMENT.RUN.seedN.h5, the results of jobs/paper/EXPERIMENT.sh, and nothing else; writes EXPERIMENT.png (where
matplotlib is installed) and EXPERIMENT.md, with the paper's numbers beside ours. Several seeds give means with 95 %
intervals (Student's t).
"""

import pathlib
import sys

from analysis.results import (ACTIVE_PARTS, COLOURS, UnreadableFile, numpy, open_gaisnet, pandas, parser_of, pyplot, quantity,
                              run_tool, save, settings_of, table, text)

try:
    from scipy import stats
except ImportError:
    sys.exit(f"{sys.executable} has no module 'scipy' (Debian: apt-get install python3-scipy, then /usr/bin/python3)")

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

    def table(self, run, name):
        """A table of all seeds of a run, with the seed in its index. Raises UnreadableFile."""
        if run not in self.files:
            raise UnreadableFile(f"the run {run} is missing")
        tables = {}
        for seed, path in self.files[run].items():
            with open_gaisnet(path) as file:
                if text(file.attrs["status"]) == "running":
                    raise UnreadableFile(f"'{path}': its run has not ended")
                tables[seed] = table(file, name)
        return pandas.concat(tables, names=["seed"])

    def by_round(self, run, rows, column):
        """Means of a column in some of a run's rows, [seeds, rounds]. Raises UnreadableFile."""
        found = rows.groupby(["seed", "round"])[column].mean().unstack()
        if len(found) < len(self.files[run]) or found.isna().any(axis=None):
            raise UnreadableFile(f"the run {run} has no {column} by round, or its seeds differ in their rounds")
        return found

    def accuracies(self, run):
        """[seeds, rounds], mean over edges."""
        return self.by_round(run, self.table(run, "rounds"), "accuracy")


def interval(values):
    """Half the 95 % interval of the mean over seeds, by column of a DataFrame [seeds, ...]; 0 with one seed."""
    return numpy.nan_to_num(values.sem() * stats.t.ppf(0.975, values.count() - 1))


def figure_of(values, unit):
    """Mean over seeds with its unit, and its interval if there is one."""
    mean, half = values.mean(), interval(values)
    return quantity(mean, unit) + (f" +- {quantity(half, unit)}" if half > 1e-6 * abs(mean) else "")  # else rounding


def percent(values):
    """Mean over seeds as text, with its interval if there is one."""
    mean, half = 100 * values.mean(), 100 * interval(values)
    return f"{mean:.1f} +- {half:.1f}" if half else f"{mean:.1f}"


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


def band(axes, values, label, colour):
    """Mean and interval of [seeds, x] over x."""
    mean, half = values.mean(), interval(values)
    axes.plot(mean.index, mean, marker="o", markersize=4, color=colour, label=label)
    if half.any():
        axes.fill_between(mean.index, mean - half, mean + half, color=colour, alpha=0.2, linewidth=0)


def fig2(runs):
    units = {"delivered": "B", "spectrum of the delivery": "Hz s", "latency of the first request": "s", "energy": "J",
             "energy, less idling": "J"}

    def costs(run):
        """[seeds, figures]"""
        events, requests = runs.table(run, "events"), runs.table(run, "inference")
        sent = events[events["kind"] == "send_modules_down"].groupby("seed")[["bytes", "airtime_hz_s"]].sum()
        spent = runs.table(run, "energy").groupby("seed")[["total_j", *ACTIVE_PARTS]].sum()
        figures = [sent, requests.groupby("seed")["latency_s"].first(), spent["total_j"], spent[ACTIVE_PARTS].sum(axis="columns")]
        return pandas.concat(figures, axis="columns").set_axis(list(units), axis="columns")

    receivers = sorted(int(run.split(".")[1]) for run in runs.files if run.startswith("full."))
    deliveries = ("full", "tunable")
    found = pandas.concat({(n, delivery): costs(f"{delivery}.{n}") for n in receivers for delivery in deliveries},
                          names=["receivers", "delivery"])
    rows = [[*which, *[figure_of(own[name], unit) for name, unit in units.items()]]
            for which, own in found.groupby(["receivers", "delivery"])]

    def draw(plt):
        figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained")
        for part, (name, unit) in zip(axes.flat, units.items()):
            for delivery, colour in zip(deliveries, COLOURS):
                band(part, found[name].xs(delivery, level="delivery").unstack("receivers"), delivery, colour)
            part.set(xlabel="clients that hold the model", ylabel=f"{name}, {unit}", yscale="log")
        axes[0, 0].legend(frameon=False)
        return figure

    full, tunable = (found.loc[receivers[-1], delivery].mean() for delivery in deliveries)
    larger = full / tunable
    note = (f"With {receivers[-1]} receivers a full delivery has {larger['delivered']:.0f} times the bytes, and the first "
            f"request takes {larger['latency of the first request']:.2f} times as long. From three clients on, the first holds "
            "no more than the embedding and the last no more than the head, so that two fewer share the blocks. The paper's "
            "Fig. 2 gives no numbers.")
    return markdown(("receivers", "delivery", *units), rows), note, draw


def fig6(runs):
    labels = {"pretrained": ("pre-trained, prompts and head", "96.8", "97.5"),
              "scratch_trained": ("random, all trained", "-", "57.0"),
              "scratch_frozen": ("random, frozen; prompts and head", "-", "-")}
    found = {run: runs.accuracies(run) for run in labels}
    answers = runs.table("untuned", "inference")
    before = (answers["label"] == answers["predicted"]).groupby("seed").mean()
    rows = [["foundation model, untuned (class means)", percent(before), "-", "-", "-"]]
    rows += [[label, percent(found[run].iloc[:, 0]), percent(found[run].iloc[:, -1]), first, last]
             for run, (label, first, last) in labels.items()]

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        for (run, values), colour in zip(found.items(), COLOURS):
            band(axes, values, labels[run][0], colour)
        axes.axhline(before.mean(), color="#888888", linestyle=":", label="foundation model, untuned")
        axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize="small")
        return figure

    epochs = found["pretrained"].shape[1]
    return (markdown(("model", "epoch 1 (untuned: before), %", f"epoch {epochs}, %", "paper, epoch 1", "paper, epoch 10"), rows),
            "The paper does not say which of the two ways without pre-training it means.", draw)


def fig7(runs):
    labels = {"full": ("full", "210 s"), "prompt_deep": ("deep prompts and head", "35 s, frozen backbone"),
              "head": ("head only", "(the same bar: it does not say what is tuned)")}
    found = {run: runs.table(run, "rounds").groupby("seed").agg({"wall_s": "median", "accuracy": "last", "client_flops": "mean",
                                                                 "latency_s": "mean"}) for run in labels}
    means = pandas.DataFrame({run: values.mean() for run, values in found.items()}).T
    less = means.loc["full"] / means
    rows = [[label, figure_of(found[run]["wall_s"], "s"), f"{less['wall_s'][run]:.2f}", f"{less['client_flops'][run]:.2f}",
             figure_of(found[run]["latency_s"], "s"), percent(found[run]["accuracy"]), paper]
            for run, (label, paper) in labels.items()]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
        names = [label for label, _ in labels.values()]
        for part, column, name in ((axes[0], "wall_s", "wall time of an epoch, s"), (axes[1], "accuracy", "validation accuracy")):
            part.bar(names, means[column], yerr=[interval(found[run][column]) for run in labels], color=COLOURS[:3])
            part.set_ylabel(name)
            part.tick_params(axis="x", labelsize="small")
        return figure

    slower = [labels[run][0] for run in ("prompt_deep", "head") if less["wall_s"][run] < 1]
    fastest = means["wall_s"].idxmin()
    found_order = (f"Slower here than full: {', '.join(slower)}." if slower else "Neither frozen method is slower than full.") + \
        (" Head only is the fastest." if fastest == "head" else f" The fastest is {labels[fastest][0]}.")
    return (markdown(("tuned", "wall time an epoch", "full / this", "FLOP full / this", "emulated time an epoch", "accuracy, %",
                      "paper, an epoch"), rows),
            f"Wall time includes evaluation; nothing was kept between epochs (cache = off). {found_order} The paper reports 6 "
            "times less for a frozen backbone; the work saved bounds that by the column FLOP, at most 1.5 for prompts and 3 for "
            "the head.", draw)


def accuracy_table(runs, keys, head, paper, bound=None):
    """Accuracies of runs [seeds, epochs], and a table of those after the first and the last epoch by a number."""
    found = {key: runs.accuracies(key) for key in keys}
    rows = []
    for key, values in found.items():
        number = key.rsplit(".", 1)[-1]
        first, last = paper.get(number, ("-", "-"))
        rows.append([*key.split("."), percent(values.iloc[:, 0]), percent(values.iloc[:, -1]),
                     *([bound(key)] if bound else []), first, last])
    return found, markdown((*head, "first epoch, %", "last epoch, %", *(["k / 5, %"] if bound else []), "paper, first",
                            "paper, last"), rows)


def table3(runs):
    paper = {"1": ("20.0", "20.0"), "2": ("39.7", "39.7"), "3": ("57.5", "59.5"), "4": ("75.3", "76.7"), "5": ("93.3", "96.7")}
    scopes = ("union", "client")
    found, rows = accuracy_table(runs, [f"{scope}.{k}" for scope in scopes for k in range(1, 6)], ("scope", "classes"), paper,
                                 lambda key: f"{20 * int(key[-1])}" if key.startswith("union") else "-")

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        k = numpy.arange(1, 6)
        for scope, colour in zip(scopes, COLOURS):
            last = pandas.DataFrame({n: found[f"{scope}.{n}"].iloc[:, -1] for n in k})
            band(axes, last, f"{scope}, last epoch", colour)
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
    found, rows = accuracy_table(runs, [str(n) for n in range(1, 7)], ("clusters",), paper)

    def draw(plt):
        figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
        n = numpy.arange(1, 7)
        for which, label, colour in ((0, "first epoch", COLOURS[0]), (-1, "last epoch", COLOURS[1])):
            band(axes, pandas.DataFrame({m: found[str(m)].iloc[:, which] for m in n}), label, colour)
            axes.plot(n, [float(paper[str(m)][which]) / 100 for m in n], "x", color=colour)
        axes.set(xlabel="clusters, each with a sixth of the training images (x: paper)", ylabel="validation accuracy")
        axes.legend(frameon=False, fontsize="small")
        return figure

    gains = found["6"].iloc[:, -1] - found["1"].iloc[:, -1]
    gain, half = 100 * gains.mean(), 100 * interval(gains)
    return rows, (f"More clusters bring more data: from one to six {gain:+.1f}{f' +- {half:.1f}' if half else ''} points in "
                  "the last epoch, of the same seeds."), draw


def orders(last):
    """Which policy ends with how much cash, in words: by the means, over a table and over real services."""
    def order(which):
        return " above ".join(sorted(last, key=lambda policy: -last[policy][which].mean()))
    return f"Here: with the table {order(0)}; with real services {order(1)}, by the means."


def fig8(runs):
    def cash(run, policy):
        services = runs.table(run, "service")
        return runs.by_round(run, services[services["policy"] == policy], "cash")

    policies = ("mlcp", "msip", "random")
    given = {policy: cash("table", policy) for policy in policies}
    real = {policy: cash(policy, policy) for policy in policies}
    last = {policy: (given[policy].iloc[:, -1], real[policy].iloc[:, -1]) for policy in policies}

    def cash_of(values):
        half = interval(values)
        return f"{values.mean():.4g}" + (f" +- {half:.2g}" if half else "")

    rows = [[policy, *map(cash_of, last[policy])] for policy in policies]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        for part, values, title in ((axes[0], given, "given profits and costs"), (axes[1], real, "real services")):
            for (policy, one), colour in zip(values.items(), COLOURS):
                band(part, one, policy, colour)
            part.set(xlabel="round of service", ylabel="cash", title=title)
            part.legend(frameon=False, fontsize="small")
        return figure

    services = runs.table("mlcp", "service").loc[next(iter(runs.files["mlcp"]))]
    steps = ", ".join((services["action"] + " " + services["model"]).str.strip())
    return (markdown(("policy", "cash at the end, table", "cash at the end, real services"), rows),
            f"The numbers are ours; the paper's Fig. 8 shows MLCP above MSIP above random, and its numbers are not legible. "
            f"{orders(last)} MLCP's services: {steps}.", draw)


def circle(runs):
    def judged(run, model, seen):
        """Accuracy by the classes' means, [seeds, rounds], mean over the domains that edges have, or have not. model None: of
        each edge's own model, on its own domain if edges have it."""
        rows = runs.table(run, "accuracy_by_domain")
        rows = rows[(rows["method"] == "class means") & (rows["seen"] == seen)]
        if model is not None:
            return runs.by_round(run, rows[rows["model"] == model], "accuracy")
        rows = rows[rows["model"].str.startswith("edge")]
        if seen:
            domains, _ = rows["domain"].factorize()  # in the order of the edges
            rows = rows[domains == rows["model"].str.removeprefix("edge").astype(int)]
        return runs.by_round(run, rows, "accuracy")

    own = {run: runs.accuracies(run) for run in ("period1", "period0", "random")}
    last = own["period1"].columns.max()
    if any(last not in values for values in own.values()):
        raise UnreadableFile("the runs have different numbers of rounds")
    labels = (("foundation model, before", None, "period1", "untuned", 0),
              (f"after {last} rounds: averaged by the cloud", "period1", "period1", "cloud", last),
              (f"after {last} rounds: edges alone, mean", "period0", "period0", None, last),
              ("random instead of pre-trained, before", None, "random", "untuned", 0),
              (f"... after {last} rounds: averaged by the cloud", "random", "random", "cloud", last))
    rows = [[label, percent(own[heads].iloc[:, -1]) if heads else "-",
             *[percent(judged(run, model, seen)[number]) for seen in (1, 0)]]
            for label, heads, run, model, number in labels]

    def draw(plt):
        figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
        names = {"period1": "averaged by the cloud", "period0": "edges alone", "random": "averaged, not pre-trained"}
        for (run, name), colour in zip(names.items(), COLOURS):
            band(axes[0], own[run], name, colour)
        axes[0].set(title="edges' own domains, by their heads", ylabel="validation accuracy")
        for run, colour in (("period1", COLOURS[0]), ("random", COLOURS[2])):
            band(axes[1], judged(run, "untuned", 0)[[0]].join(judged(run, "cloud", 0)), names[run], colour)
        alone = judged("period0", None, 0)[last]
        axes[1].errorbar([last], alone.mean(), yerr=interval(alone), fmt="s", capsize=3, color=COLOURS[1],
                         label="models of edges alone, mean")
        axes[1].set(title="a domain that no edge has, by the classes' means", ylabel="accuracy")
        for part in axes:
            part.set(xlabel="round", ylim=(0, 1))
            part.legend(frameon=False, fontsize="small", loc="center right")
        return figure

    given = runs.table("period1", "rounds").groupby("seed")["samples"].first().max()
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
    save(draw(plt), page.with_suffix(".png"))


if __name__ == "__main__":
    run_tool(main)
