"""Prints how well models tell the next token of each domain: python3 -m analysis.perplexity FILE...

A row is a model: the one that all runs began with, the cloud's of a run, or an edge's where no cloud has averaged them. A column
is a domain, (*) one that no edge has. Perplexity is exp of the mean loss of a token on the domain's validation texts.
"""

import pathlib

from analysis.results import UnreadableFile, open_gaisnet, pandas, parser_of, print_table, run_tool, table

METHOD = "next tokens"


def models_of(file):
    """Model -> domain -> perplexity, after the last round: untuned, then the cloud's or else each edge's."""
    found = table(file, "accuracy_by_domain")
    found = found[found["method"] == METHOD]
    if not len(found):
        raise UnreadableFile(f"'{file.filename}': has no perplexity by domain; several edges that tell next tokens have, once "
                             "their run has ended")
    last = found[found["round"] == found["round"].max()]
    chosen = last[last["model"] == "cloud"] if (last["model"] == "cloud").any() else last
    untuned = found[found["model"] == "untuned"]
    rows = pandas.concat([untuned, chosen[chosen["model"] != "untuned"]])
    rows = rows.assign(domain=rows["domain"] + rows["seen"].map({0: " (*)", 1: ""}))
    matrix = rows.pivot_table(values="perplexity", index="model", columns="domain", sort=False)
    return matrix.reindex(index=rows["model"].unique(), columns=rows["domain"].unique())


def common_start(matrices):
    """The row `untuned`, which all runs have to share."""
    (name, first), *others = matrices.items()
    for other, matrix in others:
        if not matrix.loc["untuned"].equals(first.loc["untuned"]):
            raise UnreadableFile(f"'{other}': its domains, or what the untuned model makes of them, are not those of '{name}'")
    return first.loc["untuned"]


def main():
    parser = parser_of("perplexity", __doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="results files of gaisnet (HDF5)")
    matrices = {}
    for path in parser.parse_args().files:
        with open_gaisnet(path) as file:
            name = pathlib.Path(path).stem
            matrices[path if name in matrices else name] = models_of(file)
    start = common_start(matrices)
    rows = [["", "untuned", *start]]
    for name, matrix in matrices.items():
        rows += [[name, model, *values] for model, values in matrix.drop("untuned").iterrows()]
    shown = pandas.DataFrame(rows, columns=["run", "model", *start.index])
    shown[start.index] = shown[start.index].apply(lambda column: column.map("{:.2f}".format))
    print("Perplexity by domain" + (", (*) no edge has it" if any(" (*)" in domain for domain in start.index) else ""))
    print_table(shown)


if __name__ == "__main__":
    run_tool(main)
