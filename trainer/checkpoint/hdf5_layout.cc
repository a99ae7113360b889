#include "trainer/checkpoint/hdf5_layout.h"

#include <hdf5.h>

#include <array>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "kernels/runtime/dtype.h"
#include "kernels/runtime/error.h"

namespace boostr {
namespace {

void check_hdf5(herr_t status, const char* call) {
  expect(status >= 0, "HDF5: ", call, " failed while laying out a checkpoint in memory");
}

/// An HDF5 identifier, closed by the destructor.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const char* call) : id_(id), close_(close) {
    expect(id >= 0, "HDF5: ", call, " failed while laying out a checkpoint in memory");
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  void close(const char* call) { check_hdf5(close_(std::exchange(id_, -1)), call); }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// The library's habit of printing its error stack is off while this lives; our exceptions say what
/// failed.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// A little-endian float of 16 bits that HDF5 does not predefine.
hid_t small_float(std::size_t exponent_bits, std::size_t mantissa_bits) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  check_hdf5(H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits),
             "H5Tset_fields");
  check_hdf5(H5Tset_ebias(type, (std::size_t{1} << (exponent_bits - 1)) - 1), "H5Tset_ebias");
  check_hdf5(H5Tset_precision(type, 16), "H5Tset_precision");
  check_hdf5(H5Tset_size(type, 2), "H5Tset_size");
  return type;
}

hid_t file_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return H5Tcopy(H5T_IEEE_F32LE);
    case DType::f64:
      return H5Tcopy(H5T_IEEE_F64LE);
    case DType::f16:
      return small_float(5, 10);
    case DType::bf16:
      return small_float(8, 7);
    case DType::i32:
      return H5Tcopy(H5T_STD_I32LE);
    case DType::i64:
      return H5Tcopy(H5T_STD_I64LE);
    case DType::u8:
      return H5Tcopy(H5T_STD_U8LE);
  }
  return -1;
}

hid_t dataspace(std::span<const std::int64_t> dims) {
  if (dims.empty()) return H5Screate(H5S_SCALAR);
  const std::vector<hsize_t> sizes(dims.begin(), dims.end());
  return H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
}

void write_attribute(hid_t dataset, const char* name, std::span<const std::int64_t> numbers) {
  const std::array<std::int64_t, 1> count = {static_cast<std::int64_t>(numbers.size())};
  const Handle space(dataspace(count), H5Sclose, "H5Screate_simple");
  const Handle attribute(H5Acreate2(dataset, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, "H5Acreate2");
  const std::int64_t none = 0;
  check_hdf5(H5Awrite(attribute, H5T_NATIVE_INT64, numbers.empty() ? &none : numbers.data()),
             "H5Awrite");
}

/// How datasets are made: contiguous, their space reserved at once, never filled.
hid_t dataset_properties() {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  check_hdf5(H5Pset_layout(properties, H5D_CONTIGUOUS), "H5Pset_layout");
  check_hdf5(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time");
  check_hdf5(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), "H5Pset_fill_time");
  // Without the time of day equal states make equal files.
  check_hdf5(H5Pset_obj_track_times(properties, false), "H5Pset_obj_track_times");
  return properties;
}

void make_groups(hid_t file, const std::vector<CheckpointTensor>& tensors) {
  std::set<std::string> groups = {"parameters", "optimizer", "optimizer/exp_avg",
                                  "optimizer/exp_avg_sq"};
  for (const CheckpointTensor& tensor : tensors) {
    for (std::size_t at = tensor.group.find('/'); at != std::string::npos;
         at = tensor.group.find('/', at + 1)) {
      groups.insert(tensor.group.substr(0, at));
    }
    groups.insert(tensor.group);
  }
  for (const std::string& group : groups) {  // sorted: a parent comes before what is in it
    const Handle made(H5Gcreate2(file, group.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                      H5Gclose, "H5Gcreate2");
  }
}

/// Makes the tensor's dataset; returns where its bytes go.
std::int64_t make_dataset(hid_t file, hid_t properties, const CheckpointTensor& tensor) {
  const std::string path = tensor.group + "/" + tensor.name;
  const Handle type(file_type(tensor.local.dtype), H5Tclose, "H5Tcopy");
  const Handle space(dataspace(tensor.local.shape.dims()), H5Sclose, "H5Screate_simple");
  const Handle dataset(
      H5Dcreate2(file, path.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose,
      "H5Dcreate2");
  write_attribute(dataset, "global_shape", tensor.global_shape.dims());
  write_attribute(dataset, "offset", tensor.offset);
  const haddr_t offset = H5Dget_offset(dataset);
  if (tensor.local.shape.numel() == 0) return 0;
  expect(offset != HADDR_UNDEF, "HDF5: H5Dget_offset failed for ", path);
  return static_cast<std::int64_t>(offset);
}

}  // namespace

ShardLayout lay_out_shard(const std::vector<CheckpointTensor>& tensors) {
  const QuietErrors quiet;
  ShardLayout layout;
  const MemoryFileDriver driver;
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "H5Pcreate");
  driver.select(access, layout.metadata);
  // Big tensors begin at a page of memory and disk; metadata comes in few large blocks.
  check_hdf5(H5Pset_alignment(access, 65536, 4096), "H5Pset_alignment");
  check_hdf5(H5Pset_meta_block_size(access, 65536), "H5Pset_meta_block_size");
  Handle file(H5Fcreate("shard", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose, "H5Fcreate");
  make_groups(file, tensors);
  {
    const Handle properties(dataset_properties(), H5Pclose, "H5Pcreate");
    for (const CheckpointTensor& tensor : tensors) {
      layout.offsets.push_back(make_dataset(file, properties, tensor));
    }
  }
  file.close("H5Fclose");
  access.close("H5Pclose");
  layout.bytes = static_cast<std::int64_t>(layout.metadata.size());
  return layout;
}

}  // namespace boostr
