#pragma once

// For numbers that may be slightly inexact: the code is compiled twice, once for the wide registers of newer
// processors. The last bits differ between processors, so nothing may depend on them.
//
//   GAISNET_FAST void work(...) { loops }                          inlined into both
//   GAISNET_WIDE void work_wide(...) { work(...); }                may only be called where has_wide_registers

#if defined(__x86_64__) && defined(__GNUC__)
#define GAISNET_FAST [[gnu::always_inline]] inline
#define GAISNET_WIDE [[gnu::target("avx2,fma")]]
#else
#define GAISNET_FAST inline
#define GAISNET_WIDE
#endif

namespace gaisnet {

#if defined(__x86_64__) && defined(__GNUC__)
inline const bool has_wide_registers = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
inline constexpr bool has_wide_registers = false;
#endif

} // namespace gaisnet
