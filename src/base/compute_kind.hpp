#pragma once

namespace gaisnet {

/// What the ranks of a run compute on.
enum class device_choice { automatic, cpu, cuda };

/// In which arithmetic frozen blocks compute. Tunables, their gradients and smashed data are float32 in all cases.
enum class compute_precision {
    fp32,
    tf32, ///< float32 with matrix products in TF32; on GPUs.
    bf16, ///< Frozen weights and activations in bfloat16.
};

} // namespace gaisnet
