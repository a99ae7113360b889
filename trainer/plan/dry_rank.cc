#include "trainer/plan/dry_rank.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <utility>

#include "kernels/runtime/dry_run.h"

namespace boostr {
namespace {

/// Among the two stages that hold tied embeddings, or among the others.
GroupPlace tied_place(const RankRequest& request) {
  const MeshDegrees& mesh = request.degrees;
  const int stages = mesh.pipeline, layer = mesh.replicate * mesh.shard * mesh.tensor;
  if (request.stage == 0) return {0, 2, (stages - 1) * layer};
  if (request.stage == stages - 1) return {1, 2, (stages - 1) * layer};
  return {request.stage - 1, stages - 2, layer};
}

/// The groups of the first rank of a stage.
DryWorld dry_world(const RankRequest& request) {
  const MeshDegrees& mesh = request.degrees;
  const int dp = mesh.replicate * mesh.shard;
  const auto kv = static_cast<int>(request.recipe.model.llama.num_key_value_heads);
  DryWorld world;
  world.world = {request.stage * dp * mesh.tensor, mesh.pipeline * dp * mesh.tensor, 1};
  world.groups = {{"pp", {request.stage, mesh.pipeline, dp * mesh.tensor}},
                  {"dp", {0, dp, mesh.tensor}},
                  {"replicate", {0, mesh.replicate, mesh.shard * mesh.tensor}},
                  {"shard", {0, mesh.shard, mesh.tensor}},
                  {"tp", {0, mesh.tensor, 1}},
                  {"model", {request.stage * mesh.tensor, mesh.pipeline * mesh.tensor, 1}},
                  {"tied", tied_place(request)},
                  {"tp copies", {0, kv < mesh.tensor ? mesh.tensor / kv : 1, 1}}};
  return world;
}

/// What the calling thread's ledger shows from piece to piece.
class LedgerReader {
 public:
  /// The most that was held of each use since the last look.
  void look() {
    for (const MemoryUse use : memory_uses) {
      double& peak = peaks_[static_cast<std::size_t>(use)];
      peak = std::max(peak, static_cast<double>(ledger_.of(use).peak));
    }
    ledger_.reset_peaks();
  }
  double activations() const { return double(ledger_.of(MemoryUse::activations).bytes); }
  double activations_peak() const { return double(ledger_.of(MemoryUse::activations).peak); }
  const std::array<double, memory_uses.size()>& peaks() const { return peaks_; }

 private:
  MemoryLedger& ledger_ = *MemoryLedger::of_this_thread();
  std::array<double, memory_uses.size()> peaks_{};
};

/// One rank's steps on a dry world, and what each of their pieces did.
class DryRank {
 public:
  explicit DryRank(const RankRequest& request)
      : offloads_(!request.recipe.parallelism.offload_path.empty()),
        dry_(timeline_, request.threads),
        wire_(dry_world(request)),
        world_(dry_communicator(wire_)),
        rank_(request, *world_) {}

  RankRecord record() {
    rank_.step([](const RankStep::Place&, const std::function<void()>& run) { run(); });
    ledger_.look();
    RankRecord record = empty_record();
    const double held = ledger_.activations();
    rank_.step([&](const RankStep::Place& place, const std::function<void()>& run) {
      piece(record, place) = noted(run);
    });
    record.bytes = ledger_.peaks();
    at(record, MemoryUse::activations) = held;
    const double most = rank_.most_updated();
    at(record, MemoryUse::checkpoint) =
        std::round(most * static_cast<double>(rank_.checkpoint_bytes()));
    at(record, MemoryUse::optimizer) = std::round(most * at(record, MemoryUse::optimizer));
    // What the optimizer holds it would hold in files.
    if (offloads_) std::swap(at(record, MemoryUse::optimizer), at(record, MemoryUse::offload));
    return record;
  }

 private:
  RankRecord empty_record() const {
    RankRecord record;
    for (const std::int64_t count : rank_.microbatches())
      record.microbatches.push_back({count, std::vector<ChunkRecord>(rank_.num_chunks())});
    record.message_bytes = rank_.message_bytes();
    record.parameters = rank_.num_parameters();
    record.flops_per_sequence = rank_.flops_per_sequence();
    return record;
  }

  static double& at(RankRecord& record, MemoryUse use) {
    return record.bytes[static_cast<std::size_t>(use)];
  }

  static PieceRecord& piece(RankRecord& record, const RankStep::Place& place) {
    if (place.piece == RankStep::Piece::update) return record.update;
    ChunkRecord& chunk = record.microbatches[place.microbatch].chunks[place.chunk];
    if (place.piece == RankStep::Piece::forward) return chunk.forward;
    return place.piece == RankStep::Piece::backward ? chunk.backward : chunk.weights;
  }

  PieceRecord noted(const std::function<void()>& run) {
    ledger_.look();
    timeline_.restart(0);
    wire_.calls.clear();
    const double before = ledger_.activations();
    run();
    PieceRecord record;
    for (const TimelineEvent& event : timeline_.events())
      record.kernels.push_back({event.name, event.dtype, event.flops, event.bytes});
    record.wire = std::exchange(wire_.calls, {});
    record.activations = {ledger_.activations() - before, ledger_.activations_peak() - before};
    ledger_.look();
    return record;
  }

  bool offloads_;
  Timeline timeline_;
  DryRun dry_;
  LedgerReader ledger_;
  DryWorld wire_;
  std::unique_ptr<Communicator> world_;
  RankStep rank_;
};

}  // namespace

RankRecord dry_rank(const RankRequest& request) {
  // A thread has a ledger, a stream and kernels of its own.
  return std::async(std::launch::async, [&] { return DryRank(request).record(); }).get();
}

}  // namespace boostr
