#define HWY_TARGET_INCLUDE "cpu/gray_scott.cpp"
#include "tessera/kernels/gray_scott.h"

#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/gray_scott_features-inl.h"
#include "cpu/simd_scratch.h"
#include "cpu/simd_targets.h"
#include "tessera/error.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void gray_sample(const GrayScott& a, const GrayTables& tables, int64_t sample) {
  thread_local SimdScratch scratch;
  real* memory = scratch.get<real>(2 * kGrayStorage + 4 * kGrayCells);
  // Row -1 of the higher place is the first row of the storage, so row 0 of the lower one the third.
  constexpr int64_t kFirst = 16 + 2 * kGrayPitch;
  GrayField u = {memory + kFirst}, v = {memory + kGrayStorage + kFirst};
  real* next = memory + 2 * kGrayStorage;
  const GrayWork work = {next, next + kGrayCells, next + 2 * kGrayCells, next + 3 * kGrayCells};

  real* cells = a.fields + sample * 2 * kGrayCells;
  u.load(cells);
  v.load(cells + kGrayCells);
  std::copy_n(cells + kGrayCells, kGrayCells, work.before);
  const GrayFactors factors(a.rates[sample]);
  const int64_t frames = a.lengths != nullptr ? a.lengths[sample] : a.frames;
  real* features = a.features + sample * a.frames * kFrameFeatures;
  bool low = true;
  for (int64_t frame = 0; frame < frames; ++frame) {
    gray_steps(factors, u, v, a.steps_per_frame, low);
    gray_frame_features(tables, u, v, work, features + frame * kFrameFeatures);
  }
  std::fill(features + frames * kFrameFeatures, features + a.frames * kFrameFeatures, real(0));
  u.store(cells);
  v.store(cells + kGrayCells);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(gray_sample);
void gray_scott(CpuContext& context, const GrayScott& a) {
  static const GrayTables tables;
  for (int64_t i = 0; i < a.samples; ++i) {
    const GrayScottRates& r = a.rates[i];
    TESSERA_CHECK(r.diffusion_u >= 0 && 4 * r.diffusion_u + r.feed <= 1 && r.diffusion_v >= 0 &&
                      4 * r.diffusion_v + r.feed + r.kill <= 1,
                  "gray_scott: sample ", i, " has rates with which a step is not stable");
    TESSERA_CHECK(a.lengths == nullptr || (a.lengths[i] >= 0 && a.lengths[i] <= a.frames),
                  "gray_scott: sample ", i, " has a length of ", a.lengths[i], " of ", a.frames);
  }
  const auto run = HWY_DYNAMIC_DISPATCH(gray_sample);
  context.parallel_for("gray_scott", a.samples, [&](int64_t sample) { run(a, tables, sample); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
