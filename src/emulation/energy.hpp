#pragma once

namespace gaisnet {

/// Energy of a node by purpose, J.
struct energy_parts {
    double sense_j = 0, compute_j = 0, transmit_j = 0, receive_j = 0;
    double idle_j = 0;  ///< By the radio while it neither sent nor received.
    double base_j = 0;  ///< The device's base power.
    double sleep_j = 0; ///< After the node's last work of a round.

    double total_j() const { return active_j() + idle_j + base_j + sleep_j; }
    /// Energy for work: without idle radio, base power and sleep.
    double active_j() const { return sensing_computing_sending_j() + receive_j; }
    /// The sum that papers on split and federated learning usually give.
    double sensing_computing_sending_j() const { return sense_j + compute_j + transmit_j; }

    energy_parts& operator+=(const energy_parts& more) {
        sense_j += more.sense_j;
        compute_j += more.compute_j;
        transmit_j += more.transmit_j;
        receive_j += more.receive_j;
        idle_j += more.idle_j;
        base_j += more.base_j;
        sleep_j += more.sleep_j;
        return *this;
    }
};

} // namespace gaisnet
