// Nearest-code search, exact: training batches, encoding of a data set, k-means on images.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <random>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "tessera/group_table.h"
#include "tessera/kernels/vq_assign.h"

namespace tessera::bench {
namespace {

using kernels::VqAssign;
using kernels::VqGroup;

enum class Outputs { Codes, All };  // All: codes, quantized rows and distances

struct Search {
  Device device;
  GroupTable<VqGroup> table;
  int64_t rows;
  std::vector<float> latents, codebooks;  // as on the device
  Buffer<float> latents_there, codebooks_there, quantized, sq_dist;
  Buffer<int32_t> codes;
  VqAssign assign;

  Search(std::vector<VqGroup> groups, VqGroup::Sizes sizes, int64_t rows, Outputs outputs,
         Device device, float outlier = 1)
      : device(device),
        table(std::move(groups), device),
        rows(rows),
        latents(normal(rows * sizes.latents, 1)),
        codebooks(normal(sizes.codebooks, 2)),
        codes(rows * table.size(), device) {
    if (outlier != 1) {  // one code in a hundred has that many times the norm
      const int32_t dim = table.groups()[0].dim;
      for (size_t i = 0; i < codebooks.size(); ++i)
        if (static_cast<int64_t>(i) / dim % 100 == 50) codebooks[i] *= outlier;
    }
    latents_there = Buffer<float>::from_host(latents, device);
    codebooks_there = Buffer<float>::from_host(codebooks, device);
    const auto cols = sizes.latents;
    assign.groups = table.view();
    assign.latents = {latents_there.data(), rows, cols, cols};
    assign.codebooks = codebooks_there.view();
    assign.codes = {codes.data(), rows, table.size(), table.size()};
    if (outputs == Outputs::Codes) return;
    quantized = Buffer<float>(rows * cols, device);
    sq_dist = Buffer<float>(rows * table.size(), device);
    assign.quantized = {quantized.data(), rows, cols, cols};
    assign.sq_dist = {sq_dist.data(), rows, table.size(), table.size()};
  }
  void run() const {
    run_on(device, [&](auto& context) { kernels::vq_assign(context, assign); });
  }

  static std::vector<float> normal(size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> distribution;
    std::vector<float> values(count);
    for (float& v : values) v = distribution(generator);
    return values;
  }

  /// The definition in binary64 for some rows.
  std::string check() const {
    constexpr int64_t kTermsChecked = 50'000'000;  // a second's work
    const int64_t fit = kTermsChecked / static_cast<int64_t>(codebooks.size());
    const int64_t checked = std::min(rows, std::clamp<int64_t>(fit, 16, 512));
    const std::vector<int32_t> found = codes.to_host();
    for (int64_t i = 0; i < checked; ++i)
      for (int64_t g = 0; g < table.size(); ++g) {
        const VqGroup& group = table.groups()[g];
        const int64_t n = i * rows / checked;
        const float* x = &latents[n * assign.latents.ld + group.latent_begin];
        double best = std::numeric_limits<double>::infinity();
        int32_t nearest = 0;
        for (int32_t k = 0; k < group.codebook_size; ++k) {
          const float* c = &codebooks[group.codebook_begin + int64_t{k} * group.dim];
          double dist = 0;
          for (int32_t d = 0; d < group.dim; ++d)
            dist = std::fma(double(x[d]) - double(c[d]), double(x[d]) - double(c[d]), dist);
          if (dist < best) {
            best = dist;
            nearest = k;
          }
        }
        if (found[n * table.size() + g] != nearest)
          return fmt::format("row {} group {} got code {}, nearest is {}", n, g,
                             found[n * table.size() + g], nearest);
      }
    return "";
  }
};

Case one(const std::string& what, std::vector<VqGroup> groups, int64_t rows, Outputs outputs,
         Device device, float outlier = 1) {
  const VqGroup::Sizes sizes = VqGroup::pack(groups);
  Case c;
  c.name = area_on("vq_assign", device) + "/" + what;
  c.repeats = repeats_on(device);
  c.gpu = is_gpu(device);
  for (const VqGroup& g : groups)
    c.flop += 2.0 * static_cast<double>(rows) * g.codebook_size * g.dim;
  c.bytes = 4.0 * static_cast<double>(rows) *
            static_cast<double>(sizes.latents * (outputs == Outputs::All ? 2 : 1) +
                                static_cast<int64_t>(groups.size()));
  c.prepare = [=] {
    const auto search = std::make_shared<Search>(groups, sizes, rows, outputs, device, outlier);
    return Work{[search] { search->run(); }, [search] { return search->check(); }};
  };
  return c;
}

void add_cases(Device device, std::vector<Case>& cases) {
  const auto single = [&](int64_t rows, int32_t codes, int32_t dim, Outputs outputs = Outputs::Codes) {
    cases.push_back(one(fmt::format("{}/{}x{}x{}", outputs == Outputs::All ? "all" : "codes", rows,
                                    codes, dim),
                        {{dim, codes}}, rows, outputs, device));
  };
  single(256, 512, 64);
  single(4096, 512, 64);
  single(4096, 512, 64, Outputs::All);
  cases.push_back(
      one("outliers/4096x512x64", {{64, 512}}, 4096, Outputs::Codes, device, 1000));
  single(65536, 512, 32);
  single(1'000'000, 256, 32);
  single(1'000'000, 256, 32, Outputs::All);
  single(4096, 512, 784);
  single(65536, 512, 4);
  single(65536, 512, 8);
  single(65536, 512, 16);
  single(16384, 8192, 32);
  if (is_gpu(device)) {  // what peers of GPUs publish
    single(262'144, 1024, 64);
    single(1'000'000, 8192, 32);
    single(131'072, 16384, 256);
  }
  std::vector<VqGroup> ragged;  // a tokenizer of 24 categories x 3 levels
  for (int32_t i = 0; i < 24; ++i)
    for (int32_t level = 0; level < 3; ++level)
      ragged.push_back({4 + 4 * (i % 6) * (level + 1), 32 << level});
  cases.push_back(one("all/256x72groups", ragged, 256, Outputs::All, device));
  cases.push_back(one("codes/8192x72groups", ragged, 8192, Outputs::Codes, device));
}

}  // namespace

std::vector<Case> vq_assign_cases() {
  std::vector<Case> cases;
  for (const Device device : bench_devices()) add_cases(device, cases);
  return cases;
}

}  // namespace tessera::bench
