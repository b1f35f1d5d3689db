#include "tessera/files/row_file.h"

#include "tessera/files.h"

namespace tessera {

RowFile::RowFile(const std::string& path) : path_(path) {
  if (path.ends_with(".npy")) {
    npy_ = std::make_unique<NpyFile>(path);
    info_ = npy_->info();
  } else {
    all_ = load_array(path);
    info_ = all_;
  }
  require_rows();
}

RowFile::RowFile(std::shared_ptr<const ByteSource> npy)
    : path_(npy->name()), npy_(std::make_unique<NpyFile>(npy)), info_(npy_->info()) {
  require_rows();
}

void RowFile::require_rows() const {
  require(!info_.shape.empty() && info_.size() > 0, ErrorKind::Data, path_, ": shape ",
          shape_text(info_.shape), " holds no rows");
}

HostArray RowFile::read(int64_t first, int64_t last) const {
  if (npy_) return npy_->read_rows(first, last);
  HostArray part{all_.dtype, all_.shape, {}};
  part.shape[0] = last - first;
  const int64_t row_bytes = all_.row_size() * item_size(all_.dtype);
  part.bytes.assign(all_.bytes.begin() + first * row_bytes, all_.bytes.begin() + last * row_bytes);
  return part;
}

TokenFile::TokenFile(RowFile rows, std::vector<int64_t> codebook_sizes)
    : rows_(std::move(rows)), codebook_sizes_(std::move(codebook_sizes)) {
  require(rows_.cols() == static_cast<int64_t>(codebook_sizes_.size()), ErrorKind::Data,
          rows_.path(), ": ", rows_.cols(), " tokens a row, the model has ",
          codebook_sizes_.size());
}

std::vector<int32_t> TokenFile::read(int64_t first, int64_t last) const {
  const std::vector<int64_t> wide = rows_.read(first, last).to_int64(rows_.path());
  const auto columns = static_cast<int64_t>(codebook_sizes_.size());
  std::vector<int32_t> codes(wide.size());
  for (size_t i = 0; i < wide.size(); ++i) {
    const int64_t column = static_cast<int64_t>(i) % columns;
    const int64_t size = codebook_sizes_[static_cast<size_t>(column)];
    require(wide[i] >= 0 && wide[i] < size, ErrorKind::Data, rows_.path(), ": row ",
            first + static_cast<int64_t>(i) / columns, ", column ", column, ": token ", wide[i],
            ", its codebook has codes 0 to ", size - 1);
    codes[i] = static_cast<int32_t>(wide[i]);
  }
  return codes;
}

}  // namespace tessera
