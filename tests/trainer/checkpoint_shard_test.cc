#include <gtest/gtest.h>
#include <hdf5.h>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/shard_writer.h"

namespace boostr::test {
namespace {

/// One tensor of every dtype and kind of shape: whole, slice, block, scalar, empty.
Held all_kinds() {
  Held held;
  held.add_whole({"parameters", "f32", {3, 5}, DType::f32});
  held.add_whole({"parameters", "bf16", {4}, DType::bf16});
  held.add_whole({"parameters", "f16", {2, 2, 2}, DType::f16});
  held.add_whole({"optimizer/exp_avg", "f64", {1, 7}, DType::f64});
  held.add({"optimizer/exp_avg_sq", "i32", {6, 6}, DType::i32}, {9}, {20});
  held.add({"optimizer/exp_avg_sq", "i64", {6, 6}, DType::i64}, {1, 2}, {3, 4});
  held.add_whole({"other/deep/group", "u8", {9}, DType::u8});
  held.add_whole({"parameters", "scalar", {}, DType::f32});
  held.add_whole({"parameters", "empty", {0, 4}, DType::f32});
  held.add({"parameters", "large", {300, 300}, DType::f32}, {100, 0}, {150, 300});
  held.fill(1);
  return held;
}

/// A shard opened by the HDF5 library, as h5py does it.
class OpenShard {
 public:
  explicit OpenShard(const fs::path& path)
      : file_(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)) {}
  ~OpenShard() {
    if (dataset_ >= 0) H5Dclose(dataset_);
    H5Fclose(file_);
  }
  bool ok() const { return file_ >= 0; }
  hid_t dataset(const CheckpointTensor& tensor) {
    if (dataset_ >= 0) H5Dclose(dataset_);
    return dataset_ = H5Dopen2(file_, (tensor.group + "/" + tensor.name).c_str(), H5P_DEFAULT);
  }
  bool has_group(const char* group) { return H5Lexists(file_, group, H5P_DEFAULT) > 0; }

 private:
  hid_t file_;
  hid_t dataset_ = -1;
};

std::vector<std::int64_t> attribute(hid_t dataset, const char* name) {
  const hid_t id = H5Aopen(dataset, name, H5P_DEFAULT);
  const hid_t space = H5Aget_space(id);
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  numbers.reserve(1);  // a scalar's list is empty, and its data must still be a pointer
  EXPECT_GE(H5Aread(id, H5T_NATIVE_INT64, numbers.data()), 0);
  H5Sclose(space);
  H5Aclose(id);
  return numbers;
}

std::vector<std::int64_t> dims_of(hid_t dataset) {
  const hid_t space = H5Dget_space(dataset);
  std::vector<hsize_t> dims(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, dims.data(), nullptr);
  H5Sclose(space);
  return {dims.begin(), dims.end()};
}

std::vector<std::int64_t> list(const Shape& shape) {
  return {shape.dims().begin(), shape.dims().end()};
}

class Shard : public testing::Test {
 protected:
  Shard()
      : held(all_kinds()),
        record(write_shard(FileOps(), folder.path() / "rank-00000.h5", held.tensors())) {}
  fs::path path() const { return folder.path() / "rank-00000.h5"; }

  TemporaryFolder folder;
  Held held;
  FileRecord record;
};

TEST_F(Shard, Hdf5ReadsEveryValueOfEveryType) {
  OpenShard shard(path());
  ASSERT_TRUE(shard.ok());
  for (const CheckpointTensor& tensor : held.tensors()) {
    const hid_t dataset = shard.dataset(tensor);
    ASSERT_GE(dataset, 0) << tensor.name;
    // The library converts from the file's type to double: this checks the type's description too.
    std::vector<double> values(static_cast<std::size_t>(tensor.local.shape.numel()) + 1);
    ASSERT_GE(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0)
        << tensor.name;
    for (std::int64_t i = 0; i < tensor.local.shape.numel(); ++i) {
      ASSERT_EQ(values[static_cast<std::size_t>(i)],
                Values(tensor, 1)(flat_index(tensor.region(), i)))
          << tensor.name << " " << i;
    }
  }
}

TEST_F(Shard, DatasetsSayWhichPartOfTheTensorTheyAre) {
  OpenShard shard(path());
  for (const CheckpointTensor& tensor : held.tensors()) {
    const hid_t dataset = shard.dataset(tensor);
    EXPECT_EQ(dims_of(dataset), list(tensor.local.shape)) << tensor.name;
    EXPECT_EQ(attribute(dataset, "global_shape"), list(tensor.global_shape)) << tensor.name;
    EXPECT_EQ(attribute(dataset, "offset"), tensor.offset) << tensor.name;
  }
}

TEST_F(Shard, RecordSaysWhereTheLibraryFindsTheBytes) {
  OpenShard shard(path());
  const std::string bytes = read_text(path());
  ASSERT_EQ(record.tensors.size(), held.tensors().size());
  for (std::size_t i = 0; i < record.tensors.size(); ++i) {
    const TensorRecord& tensor = record.tensors[i];
    const hid_t dataset = shard.dataset(held.tensors()[i]);
    if (tensor.bytes > 0) {
      EXPECT_EQ(static_cast<std::int64_t>(H5Dget_offset(dataset)), tensor.file_offset)
          << tensor.name;
    }
    EXPECT_EQ(tensor.hash,
              hash128(std::string_view(bytes).substr(static_cast<std::size_t>(tensor.file_offset),
                                                     static_cast<std::size_t>(tensor.bytes))));
  }
}

TEST_F(Shard, RecordedHashAndSizeAreTheFiles) {
  const std::string bytes = read_text(path());
  EXPECT_EQ(record.bytes, static_cast<std::int64_t>(bytes.size()));
  EXPECT_EQ(record.hash, hash128(bytes));
}

TEST_F(Shard, LargeTensorsBeginAtAPage) { EXPECT_EQ(record.tensors.back().file_offset % 4096, 0); }

TEST_F(Shard, TheSameTensorsGiveTheSameBytes) {
  write_shard(FileOps(), folder.path() / "again.h5", held.tensors());
  EXPECT_EQ(read_text(path()), read_text(folder.path() / "again.h5"));
}

TEST(ShardWithNothing, HasTheThreeGroups) {
  const TemporaryFolder folder;
  write_shard(FileOps(), folder.path() / "s.h5", {});
  OpenShard shard(folder.path() / "s.h5");
  EXPECT_TRUE(shard.has_group("parameters"));
  EXPECT_TRUE(shard.has_group("optimizer/exp_avg"));
  EXPECT_TRUE(shard.has_group("optimizer/exp_avg_sq"));
}

TEST(ShardWithManyTensors, ReadsEveryOne) {
  const TemporaryFolder folder;
  Held held;
  for (int i = 0; i < 1000; ++i)
    held.add_whole({"parameters", text("model.layers.", i, ".weight"), {3, 2}});
  held.fill(4);
  write_shard(FileOps(), folder.path() / "s.h5", held.tensors());
  OpenShard shard(folder.path() / "s.h5");
  for (const CheckpointTensor& tensor : held.tensors()) {
    std::vector<float> values(6);
    ASSERT_GE(H5Dread(shard.dataset(tensor), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                      values.data()),
              0);
    ASSERT_EQ(values[5], static_cast<float>(Values(tensor, 4)(5))) << tensor.name;
  }
}

TEST(CheckTensors, NamesAndRegionsThatNoShardCanHoldAreRefused) {
  const auto refusal = [](const TensorSpec& spec, std::vector<std::int64_t> offset,
                          const Shape& shape, int times = 1) {
    Held held;
    for (int i = 0; i < times; ++i) held.add(spec, offset, shape);
    return message_of([&] { check_tensors(held.tensors()); });
  };
  EXPECT_EQ(refusal({"parameters", "w", {4}}, {0}, {4}), "");
  EXPECT_NE(refusal({"parameters", "a/b", {4}}, {0}, {4}), "");
  EXPECT_NE(refusal({"parameters", "", {4}}, {0}, {4}), "");
  EXPECT_NE(refusal({"", "w", {4}}, {0}, {4}), "");
  EXPECT_NE(refusal({"parameters", "w", {4}}, {1}, {4}), "");
  EXPECT_NE(refusal({"parameters", "w", {4}}, {0}, {4}, 2), "");
}

}  // namespace
}  // namespace boostr::test
