// What finds each planted mistake, and what does not: the proof that the modes still detect what they
// claim. planted_test.cpp runs every cell.
//
//   n  wrong numbers          a  AddressSanitizer       r  a race seen by ThreadSanitizer
//   e  an emulator's error    u  UBSan                  .  nothing
//
// Columns: the plain build with threads in order, in reverse, warp after warp, by priorities (20
// seeds); ASan + UBSan; ThreadSanitizer by thread, by warp, by block, with the verdicts of the sanitizers
// under the same 20 seeds. In their columns n means wrong numbers in their build, and no report.
//
// No rows for tensor core operations, cp.async and dynamic shared memory: no kernel here uses them.

#include "planted_bug.h"

namespace simt::planted {

std::span<const PlantedBug> planted_bugs() {
  // clang-format off
  static constexpr PlantedBug kTable[] = {
      //                                                        irwp a twb
      {"PartialsReadEarly", partials_read_early,               "nnnnnrrn"},
      {"RedundantBarrier", redundant_barrier,                  "........"},
      {"NoFenceBeforeCount", no_fence_before_count,            ".....rrr"},
      {"StageReusedEarly", stage_reused_early,                 "nnnnnrrn"},
      {"TileReadEarly", tile_read_early,                       "nnnnnrrn"},
      {"TileReusedEarly", tile_reused_early,                   "nnnnnrrn"},
      {"HistogramZeroedLate", histogram_zeroed_late,           ".nnn.rr."},
      {"SumNotAtomic", sum_not_atomic,                         ".....rrr"},
      {"MaximumReadEarly", maximum_read_early,                 "n.nnnrrn"},
      {"ExchangeWithoutSyncwarp", exchange_without_syncwarp,   "nnnnnrnn"},
      {"CounterZeroedLate", counter_zeroed_late,               ".nnn.rr."},
      {"CounterReadPlainly", counter_read_plainly,             ".....rr."},
      {"StencilInPlace", stencil_in_place,                     "nnnnnrrr"},
      {"ReadPastTheEnd", read_past_the_end,                    "....a..."},
      {"StorePastTheEnd", store_past_the_end,                  "....a..."},
      {"SharedIndexTooHigh", shared_index_too_high,            "nnnnunnn"},
      {"ColumnTooHigh", column_too_high,                       "n.nnurrn"},
      {"MisalignedVector", misaligned_vector,                  "....u..."},
      {"HaloNotLoaded", halo_not_loaded,                       "nnnnnnnn"},
      {"CastOutOfRange", cast_out_of_range,                    "....u..."},
      {"BallotInABranch", ballot_in_a_branch,                  "eeeeeeee"},
      {"ReturnAboveABarrier", return_above_a_barrier,          "eeeeeeee"},
      {"BarriersOnOneLine", barriers_on_one_line,              "eeeeeeee"},
      {"BarriersOnTwoLines", barriers_on_two_lines,            "eeeeeeee"},
      {"BarrierInABranch", barrier_in_a_branch,                "eeeeeeee"},
      {"ShuffleOutsideTheMask", shuffle_outside_the_mask,      "eeeeeeee"},
  };
  // clang-format on
  return kTable;
}

}  // namespace simt::planted
