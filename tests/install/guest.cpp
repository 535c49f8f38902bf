// A program of somebody else, built against the installed package: rounds, and what they took.

#include <gaisnet/gaisnet.hpp>

#include <cstdio>

int main(int argc, char** argv) {
    gaisnet::session ranks(argc, argv);
    try {
        auto given = gaisnet::configuration::from_file(argv[1]);
        given.set("train.rounds", "2").set("train.steps", "3").set("output", argv[2]);
        gaisnet::fine_tuning run(given, ranks);
        while (const auto round = run.next()) {
            if (ranks.root()) {
                const auto& edge = round->edges.front();
                std::printf("round %d: accuracy %.4f, %.6f s, D2D %.6f s\n", round->number, round->accuracy,
                            edge.latency_s, edge.parts["d2d"]);
            }
        }
        ranks.end_together();
    } catch (const gaisnet::error& problem) {
        return ranks.fail(problem);
    }
}
