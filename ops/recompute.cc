#include <utility>

#include "ops/autograd.h"
#include "ops/node.h"

namespace boostr {
namespace {

/// Collects the parameter uses of what runs while it lives, so that hooks wait for the recomputed
/// segment too.
class PromisedUses {
 public:
  explicit PromisedUses(std::vector<PendingUse>& uses)
      : before_(std::exchange(recording_state().promised, &uses)) {}
  ~PromisedUses() { recording_state().promised = before_; }
  PromisedUses(const PromisedUses&) = delete;
  PromisedUses& operator=(const PromisedUses&) = delete;

 private:
  std::vector<PendingUse>* before_;
};

}  // namespace

Tensor recompute(std::function<Tensor(const Tensor&)> f, const Tensor& x) {
  if (!grad_enabled()) return f(x);
  // Shared, because std::function must be copyable; emptied when the segment has been recorded
  // again.
  auto promised = std::make_shared<std::vector<PendingUse>>();
  Tensor y;
  {
    const NoGrad no_grad;
    const PromisedUses collect(*promised);
    y = f(x.detach());
  }
  auto node = std::make_shared<Node>("recompute", false);
  node->shape = y.shape();
  node->segment_input = x.node();
  node->segment = [f = std::move(f), x = x.detach(), promised](const Tensor& dy) {
    const Tensor input = input_leaf(x);
    const Tensor output = f(input);
    promised->clear();
    SegmentGrads grads;
    grads.later = backward_input(output, dy);
    grads.dx = gradient_of(input);
    return grads;
  };
  return y.with_node(std::move(node));
}

}  // namespace boostr
