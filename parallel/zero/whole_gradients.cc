#include <set>

#include "parallel/zero/gradients.h"

namespace boostr {
namespace {

class WholeGradients final : public Gradients {
 public:
  WholeGradients(const std::vector<FlatLayout>& layouts, const DataParallelGroups& groups)
      : groups_(groups),
        num_chunks_(layouts.empty() ? 0 : layouts.back().chunk + 1),
        arrivals_(layouts, groups.shard, [this](std::size_t bucket) { start(bucket); }) {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      buckets_.push_back(make(layouts[i]));
      buckets_.back().about = subject("gradients", layouts, i);
    }
  }

  void expect_backward(std::size_t chunk, bool last) override {
    if (arrivals_.expecting()) arrivals_.complete();
    if (!last) return;
    arrivals_.expect(chunk);
    ended_.insert(chunk);
  }

  void finish() override {
    expect(ended_.size() == num_chunks_, "zero: of ", num_chunks_, " chunks, ", ended_.size(),
           " had a backward that was announced as the last of this step");
    if (arrivals_.expecting()) arrivals_.complete();
    ended_.clear();
    while (!scattering_.empty()) sum_over_replicas();
    for (Bucket& bucket : buckets_) bucket.work.wait();
  }

  const Tensor& owned(std::size_t bucket) const override { return buckets_[bucket].owned; }

 private:
  struct Bucket {
    Tensor whole, owned;
    Work work;
    Subject about;
  };

  /// Shared memory belongs to one group: to the one that sums first, if it has more than one rank.
  Communicator& home() { return groups_.shard.size() > 1 ? groups_.shard : groups_.replicate; }

  Bucket make(const FlatLayout& layout) {
    Bucket bucket;
    const Out memory = home().allocate_shared(accumulator_of(layout.dtype()), layout.numel());
    bucket.whole = Tensor::over(memory);
    bucket.owned = piece_of(layout, bucket.whole, groups_.shard.rank());
    for (FlatLayout::Place place : layout.places)
      place.parameter.set_grad_storage(view_of(place, bucket.whole));
    return bucket;
  }

  void start(std::size_t index) {
    Bucket& bucket = buckets_[index];
    const bool scatters = bucket.owned.numel() != bucket.whole.numel();
    bucket.work = scatters
                      ? groups_.shard.reduce_scatter(bucket.owned.out(), bucket.whole.in(),
                                                     ReduceOp::sum, bucket.about)
                      : groups_.shard.all_reduce(bucket.whole.out(), ReduceOp::sum, bucket.about);
    scattering_.push_back(index);
    // The second sum waits for the first: it is asked for while the next bucket's is under way.
    const std::size_t under_way = groups_.shard.size() > 1 ? 1 : 0;
    if (groups_.replicate.size() > 1 && scattering_.size() > under_way) sum_over_replicas();
  }

  void sum_over_replicas() {
    Bucket& bucket = buckets_[scattering_.front()];
    scattering_.pop_front();
    bucket.work.wait();
    bucket.work = groups_.replicate.all_reduce(bucket.owned.out(), ReduceOp::sum, bucket.about);
  }

  DataParallelGroups groups_;
  std::vector<Bucket> buckets_;
  std::deque<std::size_t> scattering_;  ///< buckets that are being summed over the first group
  std::size_t num_chunks_;
  std::set<std::size_t> ended_;  ///< chunks whose last backward of the step was announced
  BucketArrivals arrivals_;
};

}  // namespace

std::unique_ptr<Gradients> whole_gradients(const std::vector<FlatLayout>& layouts,
                                           const DataParallelGroups& groups) {
  return std::make_unique<WholeGradients>(layouts, groups);
}

}  // namespace boostr
