#pragma once

// HDF5 files written with the library itself, so that the reader is not tested against our writer.

#include <gtest/gtest.h>
#include <hdf5.h>

#include <numeric>
#include <string>
#include <vector>

#include "data/file_fixture.h"

namespace tessera::testing {

class Hdf5File {
 public:
  explicit Hdf5File(const std::string& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {
    EXPECT_GE(file_, 0);
  }
  ~Hdf5File() { H5Fclose(file_); }
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  /// An array of doubles; without values 1, 2, 3, ...
  void put(const std::string& name, std::vector<hsize_t> shape, std::vector<double> values = {}) {
    if (values.empty()) {
      hsize_t size = 1;
      for (const hsize_t dim : shape) size *= dim;
      values.resize(size);
      std::iota(values.begin(), values.end(), 1.0);
    }
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t set =
        H5Dcreate2(file_, name.c_str(), H5T_IEEE_F64LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(links);
  }

  /// A text attribute of fixed length, as NumPy's bytes become.
  void attribute(const std::string& object, const std::string& name, const std::string& text) {
    const hid_t owner = H5Oopen(file_, object.c_str(), H5P_DEFAULT);
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, text.size());
    const hid_t made = H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(made, type, text.data()), 0);
    H5Aclose(made);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(owner);
  }

  /// An array of texts of any length, as h5py writes a list.
  void attribute(const std::string& object, const std::string& name,
                 std::vector<const char*> texts) {
    const hid_t owner = H5Oopen(file_, object.c_str(), H5P_DEFAULT);
    const hsize_t count = texts.size();
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &count, nullptr);
    H5Tset_size(type, H5T_VARIABLE);
    const hid_t made = H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Awrite(made, type, texts.data()), 0);
    H5Aclose(made);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(owner);
  }

 private:
  hid_t file_;
};

}  // namespace tessera::testing
