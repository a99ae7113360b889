#include "parallel/zero/parameters.h"

namespace boostr {
namespace {

class WholeParameters final : public ParameterValues {
 public:
  WholeParameters(const std::vector<FlatLayout>& layouts, Communicator& group) : group_(group) {
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      const FlatLayout& layout = layouts[i];
      const bool shared = layout.pieces > 1;
      const Tensor whole = shared
                               ? Tensor::over(group.allocate_shared(layout.dtype(), layout.numel()))
                               : Tensor::empty({layout.numel()}, layout.dtype());
      buckets_.push_back(
          {whole, piece_of(layout, whole, group.rank()), subject("values", layouts, i)});
      for (FlatLayout::Place place : layout.places)
        place.parameter.set_value_storage(view_of(place, whole));
    }
  }

  const Tensor& owned(std::size_t bucket) const override { return buckets_[bucket].owned; }

  void release() override {}  // gather() waits for all that reads

  void gather() override {
    std::vector<Work> works;
    for (const Bucket& bucket : buckets_)
      if (bucket.owned.numel() != bucket.whole.numel())
        works.push_back(group_.all_gather(bucket.whole.out(), bucket.owned.in(), bucket.about));
    for (Work& work : works) work.wait();
  }

 private:
  struct Bucket {
    Tensor whole, owned;
    Subject about;
  };

  Communicator& group_;
  std::vector<Bucket> buckets_;
};

}  // namespace

std::unique_ptr<ParameterValues> whole_parameters(const std::vector<FlatLayout>& layouts,
                                                  Communicator& group) {
  return std::make_unique<WholeParameters>(layouts, group);
}

}  // namespace boostr
