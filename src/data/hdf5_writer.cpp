// A data set in an HDF5 file, written.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/feature_store.h"
#include "data/hdf5_file.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"

namespace tessera {
namespace {

using hdf5::Handle;
using hdf5::Session;
using Json = nlohmann::ordered_json;

constexpr hsize_t kChunkRows = 100;
constexpr unsigned kGzipLevel = 4;

class Hdf5Writer : public FeatureWriter {
 public:
  Hdf5Writer(const std::string& path, const FeatureLayout& layout, const std::string& config)
      : FeatureWriter(layout), place_(path) {
    const Session session;
    const Handle properties(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
    file_ = Handle(
        H5Fcreate(place_.temporary_path().c_str(), H5F_ACC_TRUNC, properties.get(), H5P_DEFAULT),
        H5Fclose);
    check(static_cast<bool>(file_));
    make_groups(config);
    for (const FeaturePart& part : parts_of(layout)) parts_.push_back({part, make_dataset(part)});
  }
  ~Hdf5Writer() override {
    const Session session;
    parts_.clear();
    file_ = Handle();
  }

 private:
  struct OpenPart {
    FeaturePart part;
    Handle dataset;
  };

  void check(bool done) const {
    require(done, ErrorKind::Data, place_.path(), ": cannot be written (", hdf5::reason(),
            "); free space or choose another folder, an old file there is unchanged");
  }

  /// A group that keeps the order of its members and no times, so that equal data are equal bytes.
  Handle make_group(const std::string& name) const {
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    const Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links.get(), 1);
    H5Pset_link_creation_order(properties.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED);
    H5Pset_obj_track_times(properties.get(), false);
    Handle group(H5Gcreate2(file_.get(), name.c_str(), links.get(), properties.get(), H5P_DEFAULT),
                 H5Gclose);
    check(static_cast<bool>(group));
    return group;
  }

  void make_groups(const std::string& config) const {
    const Handle features = make_group("/features");
    Json versions;
    for (const FeatureFamily& family : layout().families) {
      versions[family.name] = "1";
      const Handle group = make_group("/features/" + family.name);
      Json registry;
      for (int64_t i = 0; i < family.cols(); ++i)
        registry[family.name][family.features[static_cast<size_t>(i)]] = i;
      check(hdf5::write_text_attribute(group.get(), "feature_registry", registry.dump()) &&
            hdf5::write_text_attribute(group.get(), "version", "1") &&
            hdf5::write_number_attribute(group.get(), "num_features", family.cols()));
    }
    const Handle metadata = make_group("/metadata");
    check(hdf5::write_text_attribute(features.get(), "family_versions", versions.dump()) &&
          hdf5::write_text_attribute(features.get(), "extraction_config", config) &&
          hdf5::write_text_attribute(metadata.get(), "config", config) &&
          hdf5::write_text_attribute(metadata.get(), "version", "1"));
  }

  std::string name_of(const FeaturePart& part) const {
    switch (part.kind) {
      case FeaturePart::Family: {
        // A series has no level between; everything else is a value for the whole sample.
        const FeatureFamily& family = layout().families[part.family];
        return "/features/" + family.name + (family.steps > 0 ? "" : "/aggregated") + "/features";
      }
      case FeaturePart::Inputs:
        return "/inputs/fields";
      case FeaturePart::Parameters:
        return "/parameters/params";
      case FeaturePart::Lengths:
        return "/metadata/lengths";
    }
    return {};
  }

  static hid_t type_of(const FeaturePart& part, bool in_file) {
    if (part.kind == FeaturePart::Lengths) return in_file ? H5T_STD_I32LE : H5T_NATIVE_INT32;
    return in_file ? H5T_IEEE_F32LE : H5T_NATIVE_FLOAT;
  }

  Handle make_dataset(const FeaturePart& part) const {
    const std::vector<hsize_t> dims(part.shape.begin(), part.shape.end());
    const Handle space(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                       H5Sclose);
    const Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links.get(), 1);
    H5Pset_obj_track_times(properties.get(), false);
    if (dims[0] > 0) {
      std::vector<hsize_t> chunk = dims;
      chunk[0] = std::min(dims[0], kChunkRows);
      H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data());
      H5Pset_shuffle(properties.get());
      H5Pset_deflate(properties.get(), kGzipLevel);
    }
    Handle dataset(H5Dcreate2(file_.get(), name_of(part).c_str(), type_of(part, true), space.get(),
                              links.get(), properties.get(), H5P_DEFAULT),
                   H5Dclose);
    check(static_cast<bool>(dataset));
    if (part.kind == FeaturePart::Parameters)
      check(hdf5::write_text_attribute(dataset.get(), "dimension_names",
                                       Json(layout().parameters).dump()));
    return dataset;
  }

  void append_rows(const FeatureBlock& block, int64_t first) override {
    if (block.rows == 0) return;
    const Session session;
    for (const OpenPart& open : parts_) {
      Shape shape = open.part.shape;
      shape[0] = block.rows;
      const hdf5::RowSpace space(open.dataset.get(), first, shape);
      check(space.file &&
            H5Dwrite(open.dataset.get(), type_of(open.part, false), space.memory.get(),
                     space.file.get(), H5P_DEFAULT, bytes_of(block, open.part).data()) >= 0);
    }
  }

  void finish() override {
    {
      const Session session;
      bool closed = true;
      for (OpenPart& open : parts_) closed = open.dataset.close() && closed;
      parts_.clear();
      closed = file_.close() && closed;
      check(closed);
    }
    place_.commit();
  }

  FileWriter place_;  // gives the temporary file its name, makes it durable and renames it
  Handle file_;
  std::vector<OpenPart> parts_;
};

}  // namespace

std::unique_ptr<FeatureWriter> create_hdf5_features(const std::string& path,
                                                    const FeatureLayout& layout,
                                                    const std::string& config) {
  return std::make_unique<Hdf5Writer>(path, layout, config);
}

}  // namespace tessera
