#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tessera/buffer.h"
#include "tessera/kernels/groups.h"

namespace tessera::inline TESSERA_PRECISION {

/// The sizes and places of many problems, on the device; built once, before any step. One problem
/// is the table of length one. Copies share it, so backward closures keep it for free.
template <class Group>
class GroupTable {
  using View = kernels::Groups<Group>;

 public:
  GroupTable(std::vector<Group> groups, Device device)
      : groups_(std::make_shared<const std::vector<Group>>(std::move(groups))) {
    TESSERA_CHECK(!groups_->empty(), "GroupTable: no groups");
    Group::check(*groups_);
    std::vector<typename View::Entry> entries(groups_->size());
    for (size_t g = 0; g < groups_->size(); ++g) {
      entries[g].group = (*groups_)[g];
      for (int tiling = 0; tiling < Group::kTilings; ++tiling) {
        entries[g].first_tile[tiling] = view_.tiles[tiling];
        view_.tiles[tiling] += Group::tiles(*groups_, g, tiling);
      }
    }
    entries_ = Buffer<typename View::Entry>::from_host(entries, device);
    view_.count = static_cast<int32_t>(groups_->size());
  }

  std::span<const Group> groups() const { return *groups_; }
  int64_t size() const { return view_.count; }
  Device device() const { return entries_.device(); }
  View view() const {
    View view = view_;
    view.entries = entries_.data();
    return view;
  }

 private:
  std::shared_ptr<const std::vector<Group>> groups_;
  Buffer<typename View::Entry> entries_;
  View view_;
};

}  // namespace tessera::inline TESSERA_PRECISION
