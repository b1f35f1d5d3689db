#include "tessera/category_slices.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using kernels::ColumnGroup;
using kernels::LinearGroup;
using kernels::VqGroup;
using Slice = CategorySlices::Slice;

/// One slice of each group by `place`, which gives where it begins and how many values it has.
template <class Group, class Place>
CategorySlices one_each(const std::string& tensor, std::span<const Group> groups, int64_t levels,
                        Place place) {
  CategorySlices all{tensor, {}};
  for (size_t g = 0; g < groups.size(); ++g) {
    Slice slice = place(groups[g]);
    slice.category = static_cast<int32_t>(static_cast<int64_t>(g) / levels);
    all.slices.push_back(slice);
  }
  return all;
}

}  // namespace

void add_linear_slices(std::vector<CategorySlices>& all, const std::string& name,
                       std::vector<LinearGroup> groups, int64_t levels) {
  LinearGroup::pack(groups);
  const std::span<const LinearGroup> packed = groups;
  all.push_back(one_each(name + "/weight", packed, levels, [](const LinearGroup& group) {
    return Slice{0, group.weight_begin, int64_t{group.in} * group.out};
  }));
  all.push_back(one_each(name + "/bias", packed, levels, [](const LinearGroup& group) {
    return Slice{0, group.out_begin, group.out};
  }));
}

void add_norm_slices(std::vector<CategorySlices>& all, const std::string& name,
                     std::vector<ColumnGroup> groups, int64_t levels) {
  ColumnGroup::pack(groups);
  for (const char* part : {"/weight", "/bias"})
    all.push_back(one_each(name + part, std::span<const ColumnGroup>(groups), levels,
                           [](const ColumnGroup& group) {
                             return Slice{0, group.begin, group.cols};
                           }));
}

void add_input_slices(std::vector<CategorySlices>& all, const std::string& name, int64_t outputs,
                      std::vector<ColumnGroup> groups, int64_t levels) {
  const int64_t width = ColumnGroup::pack(groups).columns;
  all.push_back(
      one_each(name, std::span<const ColumnGroup>(groups), levels, [&](const ColumnGroup& group) {
        return Slice{0, group.begin, group.cols, outputs, width};
      }));
}

void add_routing_slices(std::vector<CategorySlices>& all, const std::string& name,
                        std::span<const CategoryFamily> families, int64_t hidden) {
  std::vector<LinearGroup> stacked;
  for (const CategoryFamily& family : families)
    stacked.push_back(
        {.in = family.features, .out = static_cast<int32_t>(int64_t{family.categories} * hidden)});
  LinearGroup::pack(stacked);
  CategorySlices weights{name + "/weight", {}}, bias{name + "/bias", {}};
  for (size_t f = 0; f < families.size(); ++f)
    for (int32_t k = 0; k < families[f].categories; ++k) {
      const int32_t category = families[f].category_begin + k;
      const int64_t size = hidden * families[f].features;
      weights.slices.push_back({category, stacked[f].weight_begin + k * size, size});
      bias.slices.push_back({category, category * hidden, hidden});
    }
  all.push_back(std::move(weights));
  all.push_back(std::move(bias));
}

void add_codebook_slices(std::vector<CategorySlices>& all, const VqTable& table, int64_t levels) {
  for (const char* name : {"quantizer/codebook", "quantizer/ema_sums"})
    all.push_back(one_each(name, table.groups(), levels, [](const VqGroup& group) {
      return Slice{0, group.codebook_begin, int64_t{group.codebook_size} * group.dim};
    }));
  for (const char* name : {"quantizer/ema_counts", "quantizer/usage"})
    all.push_back(one_each(name, table.groups(), levels, [](const VqGroup& group) {
      return Slice{0, group.code_begin, group.codebook_size};
    }));
}

}  // namespace tessera::inline TESSERA_PRECISION
