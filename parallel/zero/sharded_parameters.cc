#include <optional>

#include "kernels/runtime/memory_ledger.h"
#include "parallel/zero/parameters.h"

namespace boostr {
namespace {

class ShardedParameters final : public ParameterValues {
 public:
  ShardedParameters(const std::vector<FlatLayout>& layouts, Communicator& group)
      : layouts_(layouts), group_(group), buckets_(layouts.size()) {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      buckets_[i].owned =
          Tensor::over(group.allocate_shared(layouts[i].dtype(), layouts[i].piece_numel));
      buckets_[i].about = subject("values", layouts, i);
      for (const FlatLayout::Place& place : layouts[i].places) leave_elsewhere(place, i);
    }
  }

  const Tensor& owned(std::size_t bucket) const override { return buckets_[bucket].owned; }

  void release() override {
    for (std::size_t i = 0; i < buckets_.size(); ++i) drop(i);
    used_.reset();
    used_before_.reset();
  }

  void gather() override {
    release();
    fetch(0);
  }

 private:
  struct Bucket {
    Tensor owned;
    Tensor whole;  ///< undefined while the values are elsewhere
    Work work;     ///< that brings them
    Subject about;
  };

  void leave_elsewhere(const FlatLayout::Place& place, std::size_t index) {
    const auto offset = static_cast<std::size_t>(place.begin) * size_of(layouts_[index].dtype());
    Parameter parameter = place.parameter;
    parameter.set_value_storage(Tensor::elsewhere(
        parameter.shape(), parameter.dtype(), [this, index, offset](Storage& storage) {
          use(index);
          storage.data = static_cast<std::byte*>(buckets_[index].whole.out().data) + offset;
        }));
  }

  void use(std::size_t index) {
    if (used_ == index) return;
    fetch(index);
    buckets_[index].work.wait();
    used_before_ = used_;
    used_ = index;
    const std::optional<std::size_t> next = following();
    for (std::size_t i = 0; i < buckets_.size(); ++i)
      if (i != used_ && i != used_before_ && i != next) drop(i);
    if (next) fetch(*next);
  }

  /// The bucket after the one in use, in the direction from the one before; forward at first.
  std::optional<std::size_t> following() const {
    const bool backward = used_before_ && *used_before_ > *used_;
    if (backward) return *used_ > 0 ? std::optional(*used_ - 1) : std::nullopt;
    return *used_ + 1 < buckets_.size() ? std::optional(*used_ + 1) : std::nullopt;
  }

  void fetch(std::size_t index) {
    Bucket& bucket = buckets_[index];
    if (bucket.whole.defined()) return;
    const CountMemoryAs scope(MemoryUse::parameters);
    bucket.whole = Tensor::empty({layouts_[index].numel()}, layouts_[index].dtype());
    bucket.work = group_.all_gather(bucket.whole.out(), bucket.owned.in(), bucket.about);
  }

  void drop(std::size_t index) {
    buckets_[index].work.wait();
    buckets_[index].whole = {};
  }

  const std::vector<FlatLayout>& layouts_;
  Communicator& group_;
  std::vector<Bucket> buckets_;
  std::optional<std::size_t> used_, used_before_;
};

}  // namespace

std::unique_ptr<ParameterValues> sharded_parameters(const std::vector<FlatLayout>& layouts,
                                                    Communicator& group) {
  return std::make_unique<ShardedParameters>(layouts, group);
}

}  // namespace boostr
