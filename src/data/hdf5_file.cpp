#include "data/hdf5_file.h"

#include <algorithm>

namespace tessera::hdf5 {
namespace {

std::recursive_mutex& mutex() {
  static std::recursive_mutex instance;
  return instance;
}

/// The walk goes from the innermost call outwards; the first description is the cause.
herr_t take_first(unsigned, const H5E_error2_t* error, void* text) {
  auto& reason = *static_cast<std::string*>(text);
  if (reason.empty() && error->desc != nullptr) reason = error->desc;
  return 0;
}

}  // namespace

Session::Session() : lock_(mutex()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string reason() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);
  // What follows a comma is the state of the library: addresses, flags.
  if (const size_t comma = text.find(", "); comma != std::string::npos) text.resize(comma);
  return text.empty() ? "no reason given" : text;
}

RowSpace::RowSpace(hid_t dataset, int64_t first, std::vector<int64_t> shape)
    : file(H5Dget_space(dataset), H5Sclose) {
  std::vector<hsize_t> start(shape.size(), 0), count(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(first);
  memory =
      Handle(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  if (H5Sselect_hyperslab(file.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(),
                          nullptr) < 0)
    file.close();
}

std::vector<std::string> read_text_attribute(hid_t object, const char* name) {
  if (H5Aexists(object, name) <= 0) return {};
  const Handle attribute(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
  if (!attribute) return {};
  const Handle type(H5Aget_type(attribute.get()), H5Tclose);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose);
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (H5Tget_class(type.get()) != H5T_STRING || count < 1) return {};
  std::vector<std::string> texts(static_cast<size_t>(count));
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> pointers(texts.size());
    if (H5Aread(attribute.get(), type.get(), pointers.data()) < 0) return {};
    for (size_t i = 0; i < texts.size(); ++i)
      if (pointers[i] != nullptr) texts[i] = pointers[i];
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, pointers.data());
    return texts;
  }
  const size_t size = H5Tget_size(type.get());
  std::string all(size * texts.size(), '\0');
  if (H5Aread(attribute.get(), type.get(), all.data()) < 0) return {};
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i] = all.substr(i * size, size);
    texts[i].resize(std::min(size, texts[i].find('\0')));
  }
  return texts;
}

bool write_text_attribute(hid_t object, const char* name, const std::string& text) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  // Attributes in an object's header are limited to 64 KB; texts of any length go to the heap.
  H5Tset_size(type.get(), H5T_VARIABLE);
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const Handle attribute(
      H5Acreate2(object, name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  const char* pointer = text.c_str();
  return attribute && H5Awrite(attribute.get(), type.get(), &pointer) >= 0;
}

bool write_number_attribute(hid_t object, const char* name, int64_t number) {
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(
      H5Acreate2(object, name, H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  return attribute && H5Awrite(attribute.get(), H5T_NATIVE_INT64, &number) >= 0;
}

}  // namespace tessera::hdf5
