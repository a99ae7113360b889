#include "trainer/checkpoint/byte_exchange.h"

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>

#include "kernels/runtime/error.h"
#include "kernels/runtime/view.h"

namespace boostr {
namespace {

Out bytes_view(std::vector<std::uint8_t>& bytes) {
  return {bytes.data(), DType::u8, Shape{static_cast<std::int64_t>(bytes.size())}};
}

}  // namespace

std::vector<std::string> all_gather_bytes(Communicator& group, std::string_view mine) {
  const auto ranks = static_cast<std::size_t>(group.size());
  auto length = static_cast<std::int64_t>(mine.size());
  std::vector<std::int64_t> lengths(ranks);
  group
      .all_gather({lengths.data(), DType::i64, Shape{group.size()}},
                  {&length, DType::i64, Shape{1}})
      .wait();

  // Pieces of a gather are equally long: all are padded to the longest.
  const auto longest =
      static_cast<std::size_t>(std::max<std::int64_t>(1, *std::ranges::max_element(lengths)));
  std::vector<std::uint8_t> piece(longest), pieces(longest * ranks);
  std::copy(mine.begin(), mine.end(), piece.begin());
  group.all_gather(bytes_view(pieces), bytes_view(piece)).wait();

  std::vector<std::string> all;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto begin = pieces.begin() + static_cast<std::ptrdiff_t>(rank * longest);
    all.emplace_back(begin, begin + lengths[rank]);
  }
  return all;
}

std::string broadcast_bytes(Communicator& group, std::string_view mine, int root) {
  auto length = static_cast<std::int64_t>(mine.size());
  group.broadcast({&length, DType::i64, Shape{1}}, root).wait();
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(length));
  if (group.rank() == root) std::copy(mine.begin(), mine.end(), bytes.begin());
  if (length > 0) group.broadcast(bytes_view(bytes), root).wait();
  return {bytes.begin(), bytes.end()};
}

void fail_together(Communicator& group, const std::string& failure) {
  const std::vector<std::string> failures = all_gather_bytes(group, failure);
  std::map<std::string, std::string> ranks_by_failure;
  for (std::size_t rank = 0; rank < failures.size(); ++rank) {
    if (failures[rank].empty()) continue;
    std::string& ranks = ranks_by_failure[failures[rank]];
    ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  }
  if (ranks_by_failure.empty()) return;
  std::string message;
  for (const auto& [what, ranks] : ranks_by_failure) {
    message += (message.empty() ? "" : "; ") +
               (group.size() > 1 ? text("rank ", ranks, ": ", what) : what);
  }
  throw Error(ExitCode::checkpoint, message);
}

std::string failure_of(const std::function<void()>& attempt) {
  try {
    attempt();
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace boostr
