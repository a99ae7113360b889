#include <algorithm>

#include "parallel/zero/gradients.h"

namespace boostr {

BucketArrivals::BucketArrivals(const std::vector<FlatLayout>& layouts, Communicator& group,
                               std::function<void(std::size_t)> start)
    : layouts_(layouts), group_(group), start_(std::move(start)), missing_(layouts.size()) {
  for (std::size_t bucket = 0; bucket < layouts_.size(); ++bucket)
    for (FlatLayout::Place place : layouts_[bucket].places)
      place.parameter.set_on_grad([this, bucket] { arrived(bucket); });
}

BucketArrivals::~BucketArrivals() {
  for (const FlatLayout& layout : layouts_)
    for (FlatLayout::Place place : layout.places) place.parameter.set_on_grad(nullptr);
}

void BucketArrivals::expect(std::size_t chunk) {
  expecting_ = true;
  const auto of_chunk = std::ranges::equal_range(layouts_, chunk, {}, &FlatLayout::chunk);
  first_ = static_cast<std::size_t>(of_chunk.begin() - layouts_.begin());
  not_started_ = first_ + of_chunk.size();
  for (std::size_t bucket = first_; bucket < not_started_; ++bucket)
    missing_[bucket] = layouts_[bucket].places.size();
}

void BucketArrivals::complete() {
  for (std::size_t bucket = first_; bucket < not_started_; ++bucket) {
    for (FlatLayout::Place place : layouts_[bucket].places)
      if (!place.parameter.has_grad()) place.parameter.set_zero_grad();
    missing_[bucket] = 0;
  }
  start_full_buckets();
  expecting_ = false;
}

void BucketArrivals::arrived(std::size_t bucket) {
  if (!expecting_) return;
  if (missing_[bucket] > 0) --missing_[bucket];
  start_full_buckets();
  group_.progress();
}

void BucketArrivals::start_full_buckets() {
  for (; not_started_ > first_ && missing_[not_started_ - 1] == 0; --not_started_)
    start_(not_started_ - 1);
}

}  // namespace boostr
