"""GaisNet from Python: runs that give pandas DataFrames, and sweeps.

    import gaisnet

    run = gaisnet.finetune("configs/quickstart.cfg", model__weights="fm.safetensors", train__rounds=5, ranks=2)
    run.rounds, run.energy, run.totals        # tables; run.tables says what there is
    run.report("report.html")
    gaisnet.open("results.h5")
    gaisnet.sweep({"train.lr": [0.01, 0.1]}, "configs/quickstart.cfg", parallel=2)
"""

from analysis.results import UnreadableFile
from analysis.running import (GaisnetError, NotInTime, Run, Stopped, UsageError, finetune, infer, plan, pretrain, serve)
from analysis.running import open_run as open
from analysis.sweep import sweep

__all__ = ["GaisnetError", "NotInTime", "Run", "Stopped", "UnreadableFile", "UsageError", "finetune", "infer", "open", "plan",
           "pretrain", "serve", "sweep"]
