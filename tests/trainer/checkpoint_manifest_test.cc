#include <gtest/gtest.h>

#include "tests/trainer/checkpoint_fixture.h"
#include "trainer/checkpoint/hash.h"
#include "trainer/checkpoint/manifest.h"

namespace boostr::test {
namespace {

Manifest sample() {
  const TensorRecord tensor{.group = "parameters",
                            .name = "w",
                            .dtype = DType::bf16,
                            .region = {{6, 4}, {8}, {12}},
                            .file_offset = 100,
                            .bytes = 24,
                            .hash = hash128("w")};
  return {.code_version = "1.2.3",
          .state = state_at(50),
          .files = {{"rank-00000.h5", 200, hash128("a"), {tensor}},
                    {"recipe.yaml", 3, hash128("b"), {}}}};
}

/// The manifest's text with `from` replaced by `to` and the stated hash made right again, as an
/// attacker would.
std::string forged(const std::string& from, const std::string& to) {
  std::string text = manifest_text(sample());
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const std::size_t digits = text.find(": \"") + 3;
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(digits), 32, '0');
  const std::string hash = hash128(text);
  std::copy(hash.begin(), hash.end(), text.begin() + static_cast<std::ptrdiff_t>(digits));
  return text;
}

std::string refusal(const std::string& from, const std::string& to) {
  return message_of([&] { parse_manifest(forged(from, to)); });
}

TEST(Manifest, ReadsBackWhatItSays) {
  const Manifest read = parse_manifest(manifest_text(sample()));
  EXPECT_EQ(read.code_version, "1.2.3");
  ASSERT_EQ(read.files.size(), 2u);
  EXPECT_EQ(read.files[0].name, "rank-00000.h5");
  EXPECT_EQ(read.files[0].bytes, 200);
  EXPECT_EQ(read.files[0].hash, hash128("a"));
  const TensorRecord& tensor = read.files[0].tensors.at(0);
  EXPECT_EQ(tensor.group, "parameters");
  EXPECT_EQ(tensor.name, "w");
  EXPECT_EQ(tensor.dtype, DType::bf16);
  EXPECT_EQ(tensor.region, sample().files[0].tensors[0].region);
  EXPECT_EQ(tensor.file_offset, 100);
  EXPECT_EQ(tensor.hash, hash128("w"));
}

TEST(Manifest, StateKeepsEveryBit) {
  const TrainingState state = parse_manifest(manifest_text(sample())).state;
  EXPECT_EQ(state.step, 50);
  EXPECT_EQ(state.loss_scale, 1024.5);
  EXPECT_EQ(state.loss_scale_finite_steps, 17);
  EXPECT_EQ(state.seed, 18446744073709551615u);
  EXPECT_EQ(state.data_cursor, R"({"sample":9007199254740993})");
  EXPECT_EQ(state.mesh, R"({"dp":2})");
  EXPECT_EQ(state.extra, R"({"exp_avg_steps":3})");
}

TEST(Manifest, EveryFlippedBitIsFound) {
  std::string text = manifest_text(sample());
  for (char& byte : text) {
    for (int bit = 0; bit < 8; ++bit) {
      byte = static_cast<char>(byte ^ (1 << bit));
      EXPECT_NE(message_of([&] { parse_manifest(text); }), "");
      byte = static_cast<char>(byte ^ (1 << bit));
    }
  }
  EXPECT_EQ(message_of([&] { parse_manifest(text); }), "");
}

TEST(Manifest, EveryTruncationIsFound) {
  const std::string text = manifest_text(sample());
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_NE(message_of([&] { parse_manifest(std::string_view(text).substr(0, length)); }), "")
        << length;
  }
}

TEST(Manifest, ForgedOneWithRightHashIsRefusedWhereItWouldLeadAstray) {
  EXPECT_EQ(refusal("1.2.3", "1.2.4"), "") << "the forgery itself works";
  EXPECT_NE(refusal("rank-00000.h5", "../../secret"), "");
  EXPECT_NE(refusal("rank-00000.h5", ".hidden"), "");
  EXPECT_NE(refusal("\"step\": 50", "\"step\": -1"), "");
  EXPECT_NE(refusal("\"step\": 50", "\"step\": 2.5"), "");
  EXPECT_NE(refusal("\"step\": 50", "\"step\": 18446744073709551616"), "");
  EXPECT_NE(refusal("\"step\": 50", "\"step\": \"50\""), "");
  EXPECT_NE(refusal("\"step\": 50", "\"step\": 50, \"step\": 51"), "");
  EXPECT_NE(refusal("\"step\"", "\"stop\""), "");
  EXPECT_NE(refusal("bf16", "bf17"), "");
  EXPECT_NE(refusal("\"bytes\":24", "\"bytes\":26"), "") << "not what the shape holds";
  EXPECT_NE(refusal("\"file_offset\":100", "\"file_offset\":177"), "") << "beyond the file";
  EXPECT_NE(refusal("\"file_offset\":100", "\"file_offset\":9223372036854775807"), "");
  EXPECT_NE(refusal("\"offset\":[8]", "\"offset\":[13]"), "") << "beyond the tensor";
  EXPECT_NE(refusal("\"global_shape\":[6,4]", "\"global_shape\":[4611686018427387904,4]"), "")
      << "the size wraps";
  EXPECT_NE(refusal("\"global_shape\":[6,4]", "\"global_shape\":[1,1,1,1,1,1,24]"), "");
  EXPECT_NE(refusal("recipe.yaml", "rank-00000.h5"), "") << "a file twice";
}

TEST(Manifest, NewerFormatIsRefusedWithTheVersionToUse) {
  const std::string message = refusal("\"format_version\": 1", "\"format_version\": 2");
  EXPECT_NE(message.find("newer"), std::string::npos) << message;
  EXPECT_NE(message.find("1.2.3"), std::string::npos) << message;
}

TEST(Manifest, StateThatIsNotJsonIsRefusedWhenWritten) {
  Manifest manifest = sample();
  manifest.state.data_cursor = "{\"open\":";
  EXPECT_NE(message_of([&] { manifest_text(manifest); }), "");
}

TEST(Hash128, IsWhatXxhsumPrints) {
  EXPECT_EQ(hash128(""), "99aa06d3014798d86001c324468d497f");
  Hash128 pieces;
  pieces.update("check", 5);
  pieces.update("", 0);
  pieces.update("point", 5);
  EXPECT_EQ(pieces.digest(), hash128("checkpoint"));
}

}  // namespace
}  // namespace boostr::test
