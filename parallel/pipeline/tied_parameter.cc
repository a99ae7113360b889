#include "parallel/pipeline/tied_parameter.h"

#include <vector>

#include "ops/copy.h"

namespace boostr {
namespace {

/// What this rank owns of the parameter, in order.
std::vector<Tensor> owned_gradients(const Zero& zero, const Parameter& parameter) {
  std::vector<Tensor> gradients;
  if (!parameter.defined()) return gradients;
  for (const OwnedSlice& slice : zero.owned())
    if (slice.parameter == parameter) gradients.push_back(slice.grad);
  return gradients;
}

}  // namespace

TiedParameter::TiedParameter(Communicator& group, Copies copies) : copies_(std::move(copies)) {
  if (copies_.first_rank == copies_.last_rank) return;
  const bool first = group.rank() == copies_.first_rank, last = group.rank() == copies_.last_rank;
  // Whoever has no copy is in a group without use.
  pair_ = group.split(first || last ? 0 : 1, last ? 1 : 0, "tied");
}

void TiedParameter::sum_gradients(const Zero& zero) const {
  const std::vector<Tensor> first = owned_gradients(zero, copies_.first);
  const std::vector<Tensor> last = owned_gradients(zero, copies_.last);
  if (pair_) {
    const Subject about = std::make_shared<const std::string>("gradients of the tied embeddings");
    std::vector<Work> sums;
    for (const Tensor& gradient : first.empty() ? last : first)
      sums.push_back(pair_->all_reduce(gradient.out(), ReduceOp::sum, about));
    for (Work& sum : sums) sum.wait();
    return;
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    add_into(first[i], last[i]);
    copy_into(last[i], first[i]);
  }
}

}  // namespace boostr
