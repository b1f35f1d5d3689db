#pragma once

#include <optional>
#include <string>

#include "tessera/feature_matrix.h"

namespace tessera {

/// Reads the features of `path`, the one place where a layout of feature files is chosen:
///   .npy, .npz, IDX   an array [N, D]; its columns are named by a names.json beside it,
///                     {"<family>": ["<feature>", ...], ...}, as "<family>/<feature>" in the order
///                     of the file, and "features/0", "features/1", ... where there is none
///   HDF5, a folder    the families of rank 2 (feature_data.h), as "<family>/<feature>"; rows that were
///                     never filled are left out
/// `format` is auto (by name and content), npy, npz, idx, hdf5 or folder.
/// `max_rows` keeps the first so many rows. NaN is a missing value.
/// Throws Error (Data) for another rank, no rows, an infinity, names that are not unique or not as
/// many as columns.
FeatureMatrix load_features(const std::string& path, const std::string& format = "auto",
                            std::optional<int64_t> max_rows = {});

/// Throws Error (Data) naming `where` unless names, families and values of the matrix agree and the
/// names are unique.
void check_features(const FeatureMatrix& features, const std::string& where);

}  // namespace tessera
