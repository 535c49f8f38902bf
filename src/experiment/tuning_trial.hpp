#pragma once

#include "experiment/session.hpp"
#include "planning/measured_tunings.hpp"
#include "settings/configuration.hpp"

namespace gaisnet {

/// Whether `plan` is to train the tuning methods between which it chooses (measure).
bool wants_trial(const configuration&);

/// Trains every method of plan.tunings `measure` rounds, drops the worse half, trains the others as many rounds more, and
/// so on until one is left (successive halving): fine-tuning with the settings as given, each method in the chains that are
/// planned for it. Nothing is trained twice, and no files are kept. A method that does not fit into memory or diverges is
/// dropped; training ends for a method that meets train.stop or has had train.rounds rounds.
/// Every rank has to call it. \returns what was tried; on ranks other than 0 only the choices and which one is left.
/// \throws usage_error when no method can be trained; error with exit_code::interrupted
measured_tunings try_tunings(const configuration&, session&);

/// Settings with the method that is left, in place of what was given and of the others.
configuration with_chosen(configuration, const measured_tunings&);

} // namespace gaisnet
