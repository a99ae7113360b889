#include "parallel/zero.h"

#include "ops/copy.h"

namespace boostr {
namespace {

/// Parameters begin at multiples of this many elements of a bucket: full vector registers and cache
/// lines.
constexpr std::int64_t alignment = 16;

std::int64_t padded(std::int64_t numel) { return (numel + alignment - 1) / alignment * alignment; }

}  // namespace

Zero::Zero(std::vector<Parameter> parameters, Communicator& group, const ZeroOptions& options)
    : parameters_(std::move(parameters)), group_(group) {
  require(options.stage == 0, ExitCode::usage, "zero_stage ", options.stage,
          " is not in this build; use 0");
  make_buckets(options.bucket_bytes);
  for (Bucket& bucket : buckets_) allocate(bucket);
  for (const Parameter& parameter : parameters_)
    owned_.push_back({parameter, 0, parameter.numel()});
  for (std::size_t i = 0; i < buckets_.size(); ++i)
    for (Parameter& parameter : buckets_[i].parameters)
      parameter.set_on_grad([this, i] { on_grad(i); });
}

Zero::~Zero() {
  for (Parameter& parameter : parameters_) parameter.set_on_grad(nullptr);
}

void Zero::make_buckets(std::int64_t bucket_bytes) {
  std::int64_t bytes = 0;
  // The backward delivers the last parameters first.
  for (auto parameter = parameters_.rbegin(); parameter != parameters_.rend(); ++parameter) {
    const auto size = padded(parameter->numel()) *
                      static_cast<std::int64_t>(size_of(accumulator_of(parameter->dtype())));
    if (buckets_.empty() || (bytes > 0 && bytes + size > bucket_bytes)) {
      buckets_.emplace_back();
      bytes = 0;
    }
    buckets_.back().parameters.push_back(*parameter);
    bytes += size;
  }
}

void Zero::allocate(Bucket& bucket) {
  const DType dtype = accumulator_of(bucket.parameters.front().dtype());
  std::int64_t numel = 0;
  for (const Parameter& parameter : bucket.parameters) numel += padded(parameter.numel());
  bucket.memory = group_.allocate_shared(dtype, numel);
  const Tensor whole = Tensor::over(bucket.memory);
  fill(whole, 0.0);  // the padding is reduced too
  std::int64_t begin = 0;
  for (Parameter& parameter : bucket.parameters) {
    parameter.set_grad_storage(whole.rows(begin, parameter.numel()).view(parameter.shape()));
    begin += padded(parameter.numel());
  }
}

void Zero::expect_last_microbatch() {
  last_microbatch_ = true;
  next_bucket_ = 0;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
}

void Zero::on_grad(std::size_t bucket) {
  if (!last_microbatch_) return;
  if (buckets_[bucket].missing > 0) --buckets_[bucket].missing;
  start_full_buckets();
  group_.progress();  // what is in flight moves only inside calls
}

void Zero::start_full_buckets() {
  for (; next_bucket_ < buckets_.size() && buckets_[next_bucket_].missing == 0; ++next_bucket_)
    buckets_[next_bucket_].work = group_.all_reduce(buckets_[next_bucket_].memory);
}

void Zero::reduce_gradients() {
  expect(last_microbatch_, "reduce_gradients: expect_last_microbatch was not called in this step");
  for (std::size_t i = next_bucket_; i < buckets_.size(); ++i) {
    for (Parameter& parameter : buckets_[i].parameters)
      if (!parameter.has_grad()) parameter.set_zero_grad();
    buckets_[i].missing = 0;
  }
  start_full_buckets();
  for (Bucket& bucket : buckets_) bucket.work.wait();
  last_microbatch_ = false;
}

void Zero::gather_parameters() {}  // at stage 0 every rank updates everything

}  // namespace boostr
