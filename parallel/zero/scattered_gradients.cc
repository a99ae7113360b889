#include <algorithm>

#include "kernels/runtime/memory_ledger.h"
#include "ops/copy.h"
#include "parallel/zero/gradients.h"

namespace boostr {
namespace {

/// Reductions that may be under way before the oldest is waited for, and its memory used again.
constexpr std::size_t max_under_way = 2;

/// Memory of buckets that comes back. Whoever asks and returns in the same order on every rank gets
/// the same sizes there, as allocate_shared needs.
class BucketMemory {
 public:
  BucketMemory(Communicator& group, DType dtype) : group_(group), dtype_(dtype) {}

  /// At least `numel` elements: the smallest free memory that has them and not more than twice as
  /// many (the embedding's is not for layers), or new memory.
  Tensor take(std::int64_t numel, const Subject& about) {
    auto best = free_.end();
    for (auto memory = free_.begin(); memory != free_.end(); ++memory)
      if (memory->numel() >= numel && memory->numel() <= 2 * numel &&
          (best == free_.end() || memory->numel() < best->numel()))
        best = memory;
    if (best == free_.end()) return Tensor::over(group_.allocate_shared(dtype_, numel, about));
    const Tensor taken = *best;
    free_.erase(best);
    return taken;
  }
  void give_back(const Tensor& memory) { free_.push_back(memory); }

 private:
  Communicator& group_;
  DType dtype_;
  std::vector<Tensor> free_;
};

class ScatteredGradients final : public Gradients {
 public:
  ScatteredGradients(const std::vector<FlatLayout>& layouts, const DataParallelGroups& groups)
      : layouts_(layouts),
        groups_(groups),
        memory_(groups.shard, accumulator_of(layouts.front().dtype())),
        buckets_(layouts.size()),
        arrivals_(layouts, groups.shard, [this](std::size_t bucket) { start(bucket); }) {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      const DType dtype = accumulator_of(layouts[i].dtype());
      buckets_[i].owned =
          Tensor::over(groups.replicate.allocate_shared(dtype, layouts[i].piece_numel));
      buckets_[i].about = subject("gradients", layouts, i);
      for (FlatLayout::Place place : layouts[i].places)
        place.parameter.set_before_grad([this, i] { give_memory(i); });
    }
  }
  ~ScatteredGradients() override {
    for (const FlatLayout& layout : layouts_)
      for (FlatLayout::Place place : layout.places) {
        place.parameter.set_before_grad(nullptr);
        place.parameter.release_grad();
      }
  }

  void expect_backward(std::size_t chunk, bool /*last*/) override {
    if (arrivals_.expecting()) complete_backward();
    arrivals_.expect(chunk);
  }

  void finish() override {
    expect(arrivals_.expecting(), "zero: no backward was announced in this step");
    complete_backward();
    std::vector<Work> sums;
    for (Bucket& bucket : buckets_) {
      sums.push_back(groups_.replicate.all_reduce(bucket.owned.out(), ReduceOp::sum, bucket.about));
      bucket.has_grad = false;  // the next step begins anew
    }
    for (Work& sum : sums) sum.wait();
  }

  const Tensor& owned(std::size_t bucket) const override { return buckets_[bucket].owned; }

 private:
  struct Bucket {
    Tensor owned;           ///< this rank's piece, summed
    bool has_grad = false;  ///< `owned` holds earlier microbatches of this step
    Tensor memory;          ///< of the backward under way; at least the layout's size
    Work work;
    Subject about;
  };

  void give_memory(std::size_t index) {
    const CountMemoryAs scope(MemoryUse::gradients);
    buckets_[index].memory = memory_.take(layouts_[index].numel(), buckets_[index].about);
    for (FlatLayout::Place place : layouts_[index].places)
      place.parameter.set_grad_storage(view_of(place, buckets_[index].memory));
  }

  Tensor piece(std::size_t index) const {
    return piece_of(layouts_[index], buckets_[index].memory, groups_.shard.rank());
  }

  void start(std::size_t index) {
    const Tensor whole = buckets_[index].memory.rows(0, layouts_[index].numel());
    buckets_[index].work = groups_.shard.reduce_scatter(piece(index).out(), whole.in(),
                                                        ReduceOp::sum, buckets_[index].about);
    under_way_.push_back(index);
    if (under_way_.size() > max_under_way) end_oldest();
  }

  /// Adds a reduced piece to what is owned and gives its bucket's memory back.
  void end_oldest() {
    const std::size_t index = under_way_.front();
    under_way_.pop_front();
    Bucket& bucket = buckets_[index];
    bucket.work.wait();
    if (bucket.has_grad)
      add_into(bucket.owned, piece(index));
    else
      copy_into(bucket.owned, piece(index));
    bucket.has_grad = true;
    for (FlatLayout::Place place : layouts_[index].places) place.parameter.release_grad();
    memory_.give_back(bucket.memory);
    bucket.memory = {};
  }

  void complete_backward() {
    arrivals_.complete();
    while (!under_way_.empty()) end_oldest();
  }

  const std::vector<FlatLayout>& layouts_;
  DataParallelGroups groups_;
  BucketMemory memory_;
  std::vector<Bucket> buckets_;
  std::deque<std::size_t> under_way_;
  BucketArrivals arrivals_;
};

}  // namespace

std::unique_ptr<Gradients> scattered_gradients(const std::vector<FlatLayout>& layouts,
                                               const DataParallelGroups& groups) {
  return std::make_unique<ScatteredGradients>(layouts, groups);
}

}  // namespace boostr
